/** What this process does to the kernel's rules right now, so that a watch can tell it from other hands. */
export interface OwnHands {
  /** Processes that work for us. */
  readonly pids: ReadonlySet<number>
  /** @returns to be called when the process has ended */
  addChild(pid: number): () => void
  /** Calls whenever `pids` is another one. @returns takes the wish back */
  onChildren(call: () => void): () => void
  /** @returns to be called when the transaction has ended, one way or the other */
  begin(): () => void
  /** @returns counts the transactions that ran at some time since this call */
  mark(): () => number
}

export function createOwnHands(): OwnHands {
  const pids = new Set<number>()
  const listeners = new Set<() => void>()
  let begun = 0
  let ended = 0
  const changed = (): void => {
    for (const call of listeners) call()
  }
  return {
    pids,
    addChild(pid) {
      pids.add(pid)
      changed()
      return () => {
        pids.delete(pid)
        changed()
      }
    },
    onChildren(call) {
      listeners.add(call)
      return () => void listeners.delete(call)
    },
    begin() {
      begun++
      return () => void ended++
    },
    mark() {
      const over = ended
      return () => begun - over
    },
  }
}

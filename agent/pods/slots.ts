/** So many at once, the others in the order in which they came. */
export interface Slots {
  /** Rejects with the signal's reason when it aborts before its turn comes. */
  use<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
}

export function createSlots(count: number): Slots {
  let free = count
  const queue: (() => void)[] = []

  function turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (free > 0) {
      free--
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const take = (): void => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        queue.splice(queue.indexOf(take), 1)
        reject(signal.reason as Error)
      }
      queue.push(take)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  return {
    async use(signal, work) {
      await turn(signal)
      try {
        return await work()
      } finally {
        const next = queue.shift()
        if (next) next()
        else free++
      }
    },
  }
}

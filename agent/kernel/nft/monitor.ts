/** Tells of other hands on one table. Four looks a second, each four system calls while nothing happens. */
import { sleep, type Clock } from '../../../api/clock.ts'
import type { OwnHands } from './hands.ts'
import type { ForeignChange } from '../kernel.ts'
import type { NetlinkSocket } from '../netlink.ts'
import { createTransactions, type Table, type Transaction } from './messages.ts'

export interface MonitorDeps {
  readonly socket: NetlinkSocket
  readonly table: Table
  readonly hands: OwnHands
  readonly clock: Clock
}

export interface Monitor {
  /**
   * Calls `tell` once in each look for each process that changed the table, until the signal aborts; closes the socket then.
   * What packets write to sets, and what is forgotten there after its time, is no change: the kernel does not tell of it.
   */
  run(tell: (change: ForeignChange) => void, signal: AbortSignal): Promise<void>
  /**
   * Spares the kernel to tell of a large change of ours. What others do meanwhile is counted, and told of without a name.
   * @returns to be called when the change is made
   */
  pause(): () => void
}

const lookMs = 250

export function createMonitor({ socket, table, hands, clock }: MonitorDeps): Monitor {
  const own = new Set<number>()
  let closed = false
  let missed = false
  const ignoreOwn = (): void => {
    own.clear()
    // The kernel gives it to a socket of the process that has none yet, also to one that was closed and opened again.
    own.add(process.pid)
    for (const address of socket.ownAddresses()) own.add(address)
    // A process that uses netlink once has its number as its address.
    for (const pid of hands.pids) own.add(pid)
    socket.ignore(own)
  }
  const transactions = createTransactions(table)
  const isOwn = ({ sender, by }: Transaction): boolean =>
    own.has(sender) || (by !== undefined && (by.pid === process.pid || hands.pids.has(by.pid)))
  const countOthers = (): (() => boolean) => {
    const before = socket.generation()
    const ownSince = hands.mark()
    return () => (socket.generation() - before) >>> 0 > ownSince()
  }
  /** Whether anybody else changed rules since the last look. */
  let others = countOthers()
  const look = (): readonly ForeignChange[] => {
    // What did not fit into the buffer may all have been ours.
    const lost = (socket.read((datagram) => transactions.take(datagram)) && others()) || missed
    missed = false
    others = countOthers()
    const ended = transactions.ended()
    // Our own socket may have got another address.
    if (ended.some(({ sender }) => !own.has(sender))) ignoreOwn()
    const changes = changesOf(ended.filter((transaction) => !isOwn(transaction)))
    return lost ? [...changes, { what: 'more changes to the rules than could be followed' }] : changes
  }

  return {
    async run(tell, signal) {
      ignoreOwn()
      socket.listen('on')
      const forget = hands.onChildren(ignoreOwn)
      try {
        while (!signal.aborted) {
          for (const change of look()) tell(change)
          await sleep(clock, lookMs, signal).catch(() => {})
        }
      } finally {
        closed = true
        forget()
        socket.close()
      }
    },
    pause() {
      if (closed) return () => {}
      const othersMeanwhile = countOthers()
      socket.listen('off')
      return () => {
        if (closed) return
        socket.listen('on')
        if (othersMeanwhile()) missed = true
      }
    },
  }
}

function changesOf(transactions: readonly Transaction[]): readonly ForeignChange[] {
  return [...Map.groupBy(transactions, ({ by }) => by?.pid)].map(([, all]) => {
    const count = all.reduce((sum, transaction) => sum + transaction.count, 0)
    const [{ operations: [first], by }] = all as [Transaction]
    return { what: count > 1 ? `${first} and ${count - 1} more` : first!, ...(by && { by }) }
  })
}

/**
 * The table of flows in this process (netlink(7)): a listing of some entries costs a tenth of a millisecond, and deleting one
 * a hundredth. The listing is read in pieces, so that a large table does not hold up everything else.
 */
import type { Family } from '../../../rules/model.ts'
import { KernelError } from '../errors.ts'
import { deleteQuestion, listQuestion, readAnswer, type Entry } from './messages.ts'
import type { FlowTable } from './table.ts'
import { errno } from '../netlink-messages.ts'
import { openNetlinkTalk, type NetlinkTalk } from '../netlink.ts'
import { othersTurn } from '../pace.ts'

/** Some milliseconds of work, after which others have their turn: datagrams of up to 32 KB, and entries to delete. */
const turn = { datagrams: 16, deletions: 256 } as const

export interface FlowNetlinkOptions {
  readonly open?: () => Promise<NetlinkTalk>
  /** What is kept of a listing to be deleted; more than that takes another listing. */
  readonly mostAtOnce?: number
}

/** @throws KernelError SETUP if this Node cannot talk to the kernel */
export async function openFlowNetlink(family: Family, options: FlowNetlinkOptions = {}): Promise<FlowTable> {
  const { open = openNetlinkTalk, mostAtOnce = 50_000 } = options
  // Whether it can be opened is known now; it is opened for each look, so that nobody has to close it.
  ;(await open()).close()
  return {
    async remove({ isStale, onRemoved }, signal) {
      for (;;) {
        const talk = await open()
        try {
          const stale: Entry[] = []
          const take = (entry: Entry): void => {
            if (stale.length < mostAtOnce && isStale(entry)) stale.push(kept(entry))
          }
          await list({ talk, family, take }, signal)
          let removed = 0
          const onDeleted = ({ service, target }: Entry): void => {
            removed++
            onRemoved({ service, target }, 1)
          }
          await removeEach({ talk, family, stale, onDeleted }, signal)
          // Where none could be deleted, another listing would find the same.
          if (stale.length < mostAtOnce || removed === 0) return
        } finally {
          talk.close()
        }
      }
    },
  }
}

interface Listing {
  readonly talk: NetlinkTalk
  readonly family: Family
  /** Told of each entry, which is good until it returns. */
  readonly take: (entry: Entry) => void
}

async function list({ talk, family, take }: Listing, signal: AbortSignal): Promise<void> {
  talk.ask(listQuestion(family))
  for (let datagrams = 1; ; datagrams++) {
    const datagram = talk.answer()
    if (!datagram) throw new KernelError('KERNEL_REFUSED', 'the listing of connection tracking broke off')
    const { entries, end } = readAnswer(family, datagram)
    entries.forEach(take)
    if (end?.errno === 0) return
    if (end)
      throw new KernelError(
        'KERNEL_REFUSED',
        `connection tracking cannot be listed (errno ${end.errno}): is the module nf_conntrack_netlink there?`,
      )
    if (datagrams % turn.datagrams === 0) await othersTurn(signal)
  }
}

/** The next datagram comes into the same buffer. */
function kept(entry: Entry): Entry {
  return { ...entry, name: entry.name.map((part) => Buffer.from(part)) }
}

interface Deletions {
  readonly talk: NetlinkTalk
  readonly family: Family
  readonly stale: readonly Entry[]
  readonly onDeleted: (entry: Entry) => void
}

async function removeEach({ talk, family, stale, onDeleted }: Deletions, signal: AbortSignal): Promise<void> {
  for (const [i, entry] of stale.entries()) {
    talk.ask(deleteQuestion(family, entry))
    const answer = talk.answer()
    const end = answer && readAnswer(family, answer).end
    if (!end) throw new KernelError('KERNEL_REFUSED', 'connection tracking did not say whether an entry is deleted')
    if (end.errno === 0) onDeleted(entry)
    // One that ended by itself is no failure, and what is handed to hardware cannot be deleted.
    else if (end.errno !== errno.notFound && end.errno !== errno.busy)
      throw new KernelError('KERNEL_REFUSED', `an entry of connection tracking cannot be deleted (errno ${end.errno})`)
    if (i % turn.deletions === turn.deletions - 1) await othersTurn(signal)
  }
}

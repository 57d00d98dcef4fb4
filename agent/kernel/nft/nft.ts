/** nftables as the agent's kernel: text over either door, elements as messages. */
import { aborted, systemClock } from '../../../api/clock.ts'
import { errorKeys } from '../../../api/log.ts'
import { isWherryError } from '../../../api/errors.ts'
import type { Family } from '../../../rules/model.ts'
import { render, tableName, type Listing, type Operation, type Transaction } from '../../../rules/nft/index.ts'
import { largePayload, largeSet, openDoor, type DoorOptions } from './doors.ts'
import { KernelError } from '../errors.ts'
import { createOwnHands, type OwnHands } from './hands.ts'
import type { ForeignChange, Kernel } from '../kernel.ts'
import { createMonitor, type Monitor } from './monitor.ts'
import { openNetlinkSocket, openNetlinkTalk, type NetlinkSocket, type NetlinkTalk } from '../netlink.ts'
import { createTableReader, listed, type ReadDeps } from './read.ts'
import { createStamper } from './stamp.ts'
import { createElementWriter, type ElementWriter } from './write.ts'

export interface NftKernelOptions extends Omit<DoorOptions, 'hands'> {
  /** The family of our table; one kernel is one table. */
  readonly family: Family
  /** To be shared by the kernels of both families, so that neither takes the other one's large changes for foreign ones. */
  readonly hands?: OwnHands
  /** Opens what elements are read and written through; the real one by default. */
  readonly openTalk?: () => Promise<NetlinkTalk>
}

/**
 * Opens a way to the kernel and looks whether it works.
 * @throws KernelError SETUP if none does, with the way out in its message
 */
export async function openNftKernel(options: NftKernelOptions, signal: AbortSignal): Promise<Kernel<Listing, Transaction>> {
  const { family, log, openTalk = openNetlinkTalk } = options
  const hands = options.hands ?? createOwnHands()
  const door = await openDoor({ ...options, hands }, signal)
  log.info('The kernel is reached.', { how: door.how, family })
  return createNftKernel({ door, family, log, hands, openTalk, writes: options.prefer === 'process' ? 'text' : 'messages' })
}

export interface NftKernelDeps extends ReadDeps {
  /** How elements are written: as text through the door, as by default, or as messages through what `openTalk` opens. */
  readonly writes?: 'text' | 'messages'
  /** The same that the door tells of its processes. */
  readonly hands?: OwnHands
  /** Opens what tells of changes; the real one by default. */
  readonly openSocket?: () => Promise<NetlinkSocket>
}

export function createNftKernel(deps: NftKernelDeps): Kernel<Listing, Transaction> {
  const { door, family, log, hands = createOwnHands() } = deps
  const table = { family, name: tableName }
  const monitors = new Set<Monitor>()
  /** Changes by other hands are not noticed. */
  let isBlind = false
  const reader = createTableReader(deps)
  const asOurs = async <T>(isLarge: boolean, change: () => T): Promise<Awaited<T>> => {
    const resumes = isLarge ? [...monitors].map((monitor) => monitor.pause()) : []
    const end = hands.begin()
    try {
      return await change()
    } finally {
      for (const resume of resumes) resume()
      end()
    }
  }
  const run = (payload: string, signal: AbortSignal): Promise<void> => asOurs(payload.length >= largePayload, () => door.run(payload, signal))
  const writing = createWriting(deps)
  const stamper = createStamper(deps)
  const bring = async (step: Transaction, writer: ElementWriter | undefined, signal: AbortSignal): Promise<void> => {
    const batch = writer?.batch(step)
    const isTaken = batch !== undefined && (await asOurs(elementsIn(step) >= largeSet, () => writer!.send(batch)))
    // What the kernel refused it refuses once more, with a word to it from nft.
    if (!isTaken) await run(render(step), signal)
  }
  return {
    how: door.how,
    async apply(transaction, signal) {
      if (transaction.family !== family) {
        throw new KernelError(
          'KERNEL_REFUSED',
          `family: the transaction is for ${transaction.family}, this kernel is for ${family}`,
        )
      }
      if (transaction.operations.length === 0) return
      log.trace('A transaction goes to the kernel.', { how: door.how, get text() { return render(transaction) } })
      const writer = await writing.writer()
      signal.throwIfAborted()
      for (const step of writer ? stepsOf(transaction, writer) : [transaction]) await bring(step, writer, signal)
    },
    stamp: () => (isBlind ? Promise.resolve(undefined) : stamper.stamp()),
    prepare: (signal) => reader.prepare(signal),
    read: (signal) => reader.read(signal),
    async remove(signal) {
      // Whatever an earlier version laid out is in the table of this name. Made first, it can be deleted unseen.
      await run(`add table ${family} ${tableName}\ndelete table ${family} ${tableName}\n`, signal)
    },
    async watch(tell, signal) {
      isBlind = !(await watch({ ...deps, hands }, monitors, tell, signal))
      // There is nothing to watch with: until the end nothing is told.
      if (isBlind) await aborted(signal)
    },
    print: async (signal) => (await listed(door, table, 'people', signal)) ?? '',
    close() {
      writing.close()
      stamper.close()
      door.close()
    },
  }
}

/** Opens a way for elements when it is first asked for. */
function createWriting({ family, log, writes = 'text', openTalk }: NftKernelDeps) {
  let talk: NetlinkTalk | undefined
  let opening: Promise<ElementWriter | undefined> | undefined
  const open = async (): Promise<ElementWriter | undefined> => {
    if (writes === 'text' || !openTalk) return undefined
    try {
      talk = await openTalk()
      return createElementWriter(family, talk)
    } catch (e) {
      if (!(e instanceof KernelError)) throw e
      log.warn('Each change of elements goes through nft, which is slower than messages of our own.', errorKeys(e))
      return undefined
    }
  }
  return {
    writer: () => (opening ??= open()),
    close: () => talk?.close(),
  }
}

function elementsIn({ operations }: Transaction): number {
  return operations.reduce((sum, operation) => sum + ('elements' in operation ? operation.elements.length : 'keys' in operation ? operation.keys.length : 0), 0)
}

/**
 * A table that comes where there was none is laid out first and filled after that, in two transactions: an empty one does nothing to
 * packets, and most of what fills it goes faster without it. Any other transaction is one.
 */
function stepsOf(transaction: Transaction, writer: ElementWriter): readonly Transaction[] {
  const { family, operations } = transaction
  if (operations[0]?.kind !== 'add-table') return [transaction]
  const isFilling = (operation: Operation): boolean => operation.kind === 'add-elements' && writer.knows(operation.set)
  const { filling = [], layout = [] } = Object.groupBy(operations, (operation) => (isFilling(operation) ? 'filling' : 'layout'))
  return [layout, filling].filter((part) => part.length > 0).map((part) => ({ family, operations: part }))
}

type WatchDeps = Omit<NftKernelDeps, 'hands'> & { readonly hands: OwnHands }

/** @returns false if it could not be done */
async function watch(
  { family, log, hands, clock = systemClock, openSocket = openNetlinkSocket }: WatchDeps,
  monitors: Set<Monitor>,
  tell: (change: ForeignChange) => void,
  signal: AbortSignal,
): Promise<boolean> {
  let monitor: Monitor | undefined
  try {
    monitor = createMonitor({ socket: await openSocket(), table: { family, name: tableName }, hands, clock })
    monitors.add(monitor)
    await monitor.run(tell, signal)
    return true
  } catch (e) {
    if (!isWherryError(e, 'SETUP')) throw e
    log.warn('Changes of the rules by other programs are not noticed until the next audit.', { family, ...errorKeys(e) })
    return false
  } finally {
    if (monitor) monitors.delete(monitor)
  }
}

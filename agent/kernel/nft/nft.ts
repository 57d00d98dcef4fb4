/** nftables as the agent's kernel, over either door. */
import { systemClock } from '../../../api/clock.ts'
import type { Log } from '../../../api/log.ts'
import { errorKeys } from '../../../api/log.ts'
import { isWherryError } from '../../../api/errors.ts'
import type { Family } from '../../../rules/model.ts'
import { render, tableName, type Listing, type Transaction } from '../../../rules/nft/index.ts'
import type { Door } from './door.ts'
import { KernelError } from '../errors.ts'
import { ExecError, type Exec } from '../exec.ts'
import { createOwnHands, type OwnHands } from './hands.ts'
import type { ForeignChange, Kernel } from '../kernel.ts'
import { openLibnftables } from './libnftables.ts'
import { createMonitor, type Monitor } from './monitor.ts'
import { openNetlinkSocket, openNetlinkTalk, type NetlinkSocket, type NetlinkTalk } from '../netlink.ts'
import { openNftProcess } from './process.ts'
import { createTableReader, listed, type ReadDeps } from './read.ts'

/** `auto`: in process where that works, else as a process. */
export type NftDoor = 'libnftables' | 'process' | 'auto'

export interface NftKernelOptions {
  readonly prefer: NftDoor
  /** The family of our table; one kernel is one table. */
  readonly family: Family
  readonly exec: Exec
  readonly log: Log
  /** To be shared by the kernels of both families, so that neither takes the other one's large changes for foreign ones. */
  readonly hands?: OwnHands
  /** Opens the door in this process; the real one by default. */
  readonly openLibrary?: () => Promise<Door>
  /** Opens what elements are read through; the real one by default. */
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
  return createNftKernel({ door, family, log, hands, openTalk })
}

async function openDoor(
  { prefer, exec, log, hands, openLibrary = openLibnftables }: NftKernelOptions,
  signal: AbortSignal,
): Promise<Door> {
  const openProcess = () => attempt(openNftProcess(exec, signal, hands))
  const inProcess = prefer === 'process' ? undefined : await attempt(openLibrary())
  signal.throwIfAborted()
  if (inProcess?.door) return shared(inProcess.door, openProcess)
  if (inProcess && prefer === 'libnftables') throw inProcess.failure
  const asProcess = await openProcess()
  if (!asProcess.door) {
    const way = 'install the packages nftables and libnftables1, and run as root'
    throw new KernelError('SETUP', `nft: neither libnftables nor the nft command can be used; ${way}`, {
      cause: asProcess.failure,
    })
  }
  if (inProcess)
    log.warn('Each change of the kernel takes a process, which is slower than calling libnftables.', errorKeys(inProcess.failure))
  return asProcess.door
}

/** From this size on a transaction holds up this process for a quarter of a second. Characters. */
const largePayload = 1024 * 1024
/** Ours is a twentieth of it. Characters. */
const largeOutline = 256 * 1024
/** From so many elements on the text of a set takes more than some 10 ms. */
const largeSet = 4096

/**
 * What is small and frequent goes in process. What is large goes to a child, where there is an nft: to load or to list 100,000
 * elements takes a second, too long to hold up this process, and leaves behind the memory that parsing took. The bytes are the
 * same. Whether there is an nft is not asked before something large comes.
 */
function shared(inProcess: Door, openProcess: () => Promise<Attempt>): Door {
  let opening: Promise<Attempt> | undefined
  const forLarge = async (): Promise<Door> => (await (opening ??= openProcess())).door ?? inProcess
  /** An outline shows the rules of other tables, too, of which there may be many. */
  let isCrowded = false
  return {
    ...inProcess,
    run: async (payload, signal) => (payload.length < largePayload ? inProcess : await forLarge()).run(payload, signal),
    async list(what, style, signal) {
      const isSmall = what.name === undefined ? style === 'outline' && !isCrowded : what.set !== undefined && what.set.held < largeSet
      const text = await (isSmall ? inProcess : await forLarge()).list(what, style, signal)
      if (style === 'outline') isCrowded = text.length > largeOutline
      return text
    },
  }
}

type Attempt = { readonly door: Door } | { readonly door?: undefined; readonly failure: KernelError | ExecError }

async function attempt(opening: Promise<Door>): Promise<Attempt> {
  try {
    return { door: await opening }
  } catch (failure) {
    if (failure instanceof KernelError || failure instanceof ExecError) return { failure }
    throw failure
  }
}

export interface NftKernelDeps extends ReadDeps {
  /** The same that the door tells of its processes. */
  readonly hands?: OwnHands
  /** Opens what tells of changes; the real one by default. */
  readonly openSocket?: () => Promise<NetlinkSocket>
}

export function createNftKernel(deps: NftKernelDeps): Kernel<Listing, Transaction> {
  const { door, family, log, hands = createOwnHands() } = deps
  const table = { family, name: tableName }
  const monitors = new Set<Monitor>()
  const reader = createTableReader(deps)
  const run = async (payload: string, signal: AbortSignal): Promise<void> => {
    const resumes = payload.length < largePayload ? [] : [...monitors].map((monitor) => monitor.pause())
    const end = hands.begin()
    try {
      await door.run(payload, signal)
    } finally {
      for (const resume of resumes) resume()
      end()
    }
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
      const text = render(transaction)
      log.trace('A transaction goes to the kernel.', { how: door.how, text })
      await run(text, signal)
    },
    prepare: (signal) => reader.prepare(signal),
    read: (signal) => reader.read(signal),
    async remove(signal) {
      // Whatever an earlier version laid out is in the table of this name. Made first, it can be deleted unseen.
      await run(`add table ${family} ${tableName}\ndelete table ${family} ${tableName}\n`, signal)
    },
    watch: (tell, signal) => watch({ ...deps, hands }, monitors, tell, signal),
    print: async (signal) => (await listed(door, table, 'people', signal)) ?? '',
    close: () => door.close(),
  }
}

type WatchDeps = Omit<NftKernelDeps, 'hands'> & { readonly hands: OwnHands }

async function watch(
  { family, log, hands, clock = systemClock, openSocket = openNetlinkSocket }: WatchDeps,
  monitors: Set<Monitor>,
  tell: (change: ForeignChange) => void,
  signal: AbortSignal,
): Promise<void> {
  let monitor: Monitor | undefined
  try {
    monitor = createMonitor({ socket: await openSocket(), table: { family, name: tableName }, hands, clock })
    monitors.add(monitor)
    await monitor.run(tell, signal)
  } catch (e) {
    if (!isWherryError(e, 'SETUP')) throw e
    log.warn('Changes of the rules by other programs are not noticed until the next audit.', { family, ...errorKeys(e) })
    if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  } finally {
    if (monitor) monitors.delete(monitor)
  }
}

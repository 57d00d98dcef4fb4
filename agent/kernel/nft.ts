/** nftables as the agent's kernel, over either door. */
import type { Log } from '../../api/log.ts'
import { errorKeys } from '../../api/log.ts'
import { isWherryError } from '../../api/errors.ts'
import { parse, render, tableName } from '../../rules/index.ts'
import type { Family } from '../../rules/model.ts'
import type { Door } from './door.ts'
import { KernelError } from './errors.ts'
import { ExecError, type Exec } from './exec.ts'
import type { Kernel } from './kernel.ts'
import { isTorn } from './listing.ts'
import { openLibnftables } from './libnftables.ts'
import { openNftProcess } from './nft-process.ts'

/** `auto`: in process where that works, else as a process. */
export type NftDoor = 'libnftables' | 'process' | 'auto'

export interface NftKernelOptions {
  readonly prefer: NftDoor
  /** The family of our table; one kernel is one table. */
  readonly family: Family
  readonly exec: Exec
  readonly log: Log
  /** Opens the door in this process; the real one by default. */
  readonly openLibrary?: () => Promise<Door>
}

/**
 * Opens a way to the kernel and looks whether it works.
 * @throws KernelError SETUP if none does, with the way out in its message
 */
export async function openNftKernel(options: NftKernelOptions, signal: AbortSignal): Promise<Kernel> {
  const { family, log } = options
  const door = await openDoor(options, signal)
  log.info('The kernel is reached.', { how: door.how, family })
  return createNftKernel({ door, family, log })
}

async function openDoor(
  { prefer, exec, log, openLibrary = openLibnftables }: NftKernelOptions,
  signal: AbortSignal,
): Promise<Door> {
  const asProcess = await attempt(openNftProcess(exec, signal))
  signal.throwIfAborted()
  const inProcess = prefer === 'process' ? undefined : await attempt(openLibrary())
  if (inProcess?.door) {
    return asProcess.door ? shared(inProcess.door, asProcess.door) : inProcess.door
  }
  if (inProcess && prefer === 'libnftables') throw inProcess.failure
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

/** From this size on a transaction takes longer than a process takes to start. Characters. */
const largePayload = 512 * 1024

/**
 * What is small and frequent goes in process. What is large goes to a child: to load or to list 100,000 elements takes a
 * second, too long to hold up this process, and leaves behind the memory that parsing took. The bytes are the same.
 */
function shared(inProcess: Door, asProcess: Door): Door {
  return {
    ...inProcess,
    run: (payload, signal) => (payload.length < largePayload ? inProcess : asProcess).run(payload, signal),
    list: (table, style, signal) => asProcess.list(table, style, signal),
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

export interface NftKernelDeps {
  readonly door: Door
  readonly family: Family
  readonly log: Log
}

export function createNftKernel({ door, family, log }: NftKernelDeps): Kernel {
  const table = { family, name: tableName }
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
      await door.run(text, signal)
    },
    async read(signal) {
      for (let attempt = 1; attempt <= readAttempts; attempt++) {
        const text = await listed(door, table, 'exact', signal)
        if (text === undefined) return undefined
        const listing = parse(text)
        if (!isTorn(text, listing)) return listing
        log.debug('The kernel rearranged a set while it was listed; it is listed again.', { attempt })
      }
      throw new KernelError('KERNEL_REFUSED', `read: each of ${readAttempts} listings was torn by the kernel; read again later`)
    },
    print: async (signal) => (await listed(door, table, 'people', signal)) ?? '',
    close: () => door.close(),
  }
}

const readAttempts = 5

/** The text of a table; undefined if there is none. */
async function listed(door: Door, ...question: Parameters<Door['list']>): Promise<string | undefined> {
  try {
    return await door.list(...question)
  } catch (e) {
    if (isWherryError(e, 'KERNEL_NOT_FOUND')) return undefined
    throw e
  }
}

/** Which door to the kernel is opened, and what goes through which. */
import { errorKeys, type Log } from '../../../api/log.ts'
import { KernelError } from '../errors.ts'
import { ExecError, type Exec } from '../exec.ts'
import type { Door } from './door.ts'
import type { OwnHands } from './hands.ts'
import { openLibnftables } from './libnftables.ts'
import { openNftProcess } from './process.ts'

/** `auto`: in process where that works, else as a process. */
export type NftDoor = 'libnftables' | 'process' | 'auto'

export interface DoorOptions {
  readonly prefer: NftDoor
  readonly exec: Exec
  readonly log: Log
  readonly hands: OwnHands
  /** Opens the door in this process; the real one by default. */
  readonly openLibrary?: () => Promise<Door>
}

/** @throws KernelError SETUP if none works, with the way out in its message */
export async function openDoor({ prefer, exec, log, hands, openLibrary = openLibnftables }: DoorOptions, signal: AbortSignal): Promise<Door> {
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
    log.warn('What nft is needed for takes a process, which is slower than calling libnftables.', errorKeys(inProcess.failure))
  return asProcess.door
}

/** From this size on a transaction holds up this process for a quarter of a second. Characters. */
export const largePayload = 1024 * 1024
/** Ours is a twentieth of it. Characters. */
const largeOutline = 256 * 1024
/** From so many elements on the text of a set takes more than some 10 ms. */
export const largeSet = 4096

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

/**
 * The kernel through libnftables inside this process, by Node's foreign function interface. One small change costs
 * 0.1 to 0.3 ms here and some 16 ms through a child process. Calls are synchronous: the caller's thread waits for the kernel.
 *
 * - A payload goes to the library as an anonymous file (memfd_create(2)), because of a payload in a buffer the library
 *   tells only the column of a mistake, not its line.
 * - One library context serves all changes, and frees what it no longer needs. A listing gets a context of its own, because
 *   the library keeps all that it listed until the next call.
 * - libc keeps freed memory for itself: some 200 MB after 90,000 elements. After large calls it is told to give it back
 *   (malloc_trim(3)).
 */
import { closeSync, ftruncateSync, writeSync } from 'node:fs'
import { openMemory } from '../../../api/memory.ts'
import { listCommand, type Door, type ListingStyle } from './door.ts'
import { KernelError, refusalOf } from '../errors.ts'

const library = 'libnftables.so.1'

/** libnftables(3): bits for nft_ctx_output_set_flags. */
const output = { stateless: 1 << 2, json: 1 << 4, numericProtocol: 1 << 7, numericPriority: 1 << 8, terse: 1 << 11 } as const

const exact = output.numericPriority | output.numericProtocol | output.stateless
const flags: Readonly<Record<ListingStyle, number>> = { exact, outline: exact | output.terse, people: 0 }

/** Payloads and listings above this many characters leave enough freed memory behind to be worth 6 ms. */
const trimAbove = 256 << 10

/** memfd_create(2) */
const closeOnExec = 1

/**
 * @throws KernelError SETUP if this Node cannot call foreign functions or the library is not installed;
 *   KERNEL_REFUSED if the kernel lets us see nothing (no privilege, no nftables)
 */
export async function openLibnftables(): Promise<Door> {
  const native = await load()
  const file = native.memfd_create('wherry-transaction', closeOnExec)
  if (file < 0) throw new KernelError('SETUP', 'libnftables: no anonymous file could be made for payloads (memfd_create)')
  const changes = openContext(native, file)
  const listing = <T>(use: (context: Context) => T): T => {
    const context = openContext(native, file)
    try {
      return use(context)
    } finally {
      context.free()
    }
  }

  // Flowtables are what the library lists without reading all elements of the machine first: half a second with 30,000 of them.
  const version = listing((context) => /"version": *"([^"]+)"/.exec(context.run('list flowtables\n', output.json))?.[1])
  return {
    how: `libnftables ${version ?? 'of an unknown version'} in process`,
    async run(payload, signal) {
      signal.throwIfAborted()
      changes.run(payload, 0)
      if (payload.length > trimAbove) native.memory.trim()
    },
    async list(what, style, signal) {
      signal.throwIfAborted()
      const text = listing((context) => context.run(`${listCommand(what).join(' ')}\n`, flags[style]))
      if (text.length > trimAbove) native.memory.trim()
      return text
    },
    close() {
      changes.free()
      closeSync(file)
    },
  }
}

interface Context {
  /** Gives what was printed. @throws KernelError */
  run(payload: string, style: number): string
  free(): void
}

function openContext(native: Native, file: number): Context {
  const context = native.nft_ctx_new(0)
  if (context === 0n) throw new KernelError('SETUP', 'libnftables: could not be initialised')
  native.nft_ctx_buffer_output(context)
  native.nft_ctx_buffer_error(context)
  return {
    run(payload, style) {
      ftruncateSync(file, 0)
      writeAll(file, payload)
      native.nft_ctx_output_set_flags(context, style)
      const status = native.nft_run_cmd_from_filename(context, `/proc/self/fd/${file}`)
      // Both buffers belong to the context, and its next call reuses them: they are copied here.
      const printed = native.text(native.nft_ctx_get_output_buffer(context))
      if (status !== 0) throw refusalOf(native.text(native.nft_ctx_get_error_buffer(context)), payload)
      return printed
    },
    free: () => native.nft_ctx_free(context),
  }
}

type Native = Awaited<ReturnType<typeof load>>

/** Function signatures from nftables/libnftables.h. */
async function load() {
  try {
    // A Node without it must not fail before the other door can be tried.
    const { dlopen, toString } = await import('node:ffi')
    const nft = dlopen(library, {
      nft_ctx_new: { arguments: ['u32'], return: 'pointer' },
      nft_ctx_free: { arguments: ['pointer'], return: 'void' },
      nft_ctx_buffer_output: { arguments: ['pointer'], return: 'i32' },
      nft_ctx_buffer_error: { arguments: ['pointer'], return: 'i32' },
      nft_ctx_get_output_buffer: { arguments: ['pointer'], return: 'pointer' },
      nft_ctx_get_error_buffer: { arguments: ['pointer'], return: 'pointer' },
      nft_ctx_output_set_flags: { arguments: ['pointer', 'u32'], return: 'void' },
      nft_run_cmd_from_filename: { arguments: ['pointer', 'string'], return: 'i32' },
    })
    const libc = dlopen(null, { memfd_create: { arguments: ['string', 'u32'], return: 'i32' } })
    return { ...nft.functions, ...libc.functions, memory: await openMemory(), text: (pointer: bigint) => toString(pointer) ?? '' }
  } catch (cause) {
    throw new KernelError(
      'SETUP',
      `libnftables: cannot be called from this Node (is ${library} installed, and --experimental-ffi set?)`,
      { cause },
    )
  }
}

function writeAll(file: number, payload: string): void {
  const bytes = Buffer.from(payload)
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, at)
}

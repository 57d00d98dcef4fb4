/** Writes tar archives in the ustar format (POSIX.1-1988, pax(1)). Equal entries give equal bytes: no times, no owners. */
import { CliError } from '../../error.ts'

export type TarEntry =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly bytes: Uint8Array; readonly executable: boolean }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

const block = 512
const nameBytes = 100

/** @throws CliError USAGE for a path or target of more than 100 bytes, which this writer does not split */
export function ustar(entries: readonly TarEntry[]): Uint8Array {
  const parts = entries.flatMap((entry) => {
    const bytes = entry.kind === 'file' ? entry.bytes : new Uint8Array()
    return [header(entry, bytes.length), bytes, Buffer.alloc((block - (bytes.length % block)) % block)]
  })
  // Two empty blocks end an archive.
  return Buffer.concat([...parts, Buffer.alloc(2 * block)])
}

/** [type flag, mode] of each kind of entry. */
const kinds = { directory: ['5', 0o755], file: ['0', 0o644], link: ['2', 0o777] } as const

function header(entry: TarEntry, size: number): Uint8Array {
  const bytes = Buffer.alloc(block)
  const [flag, usual] = kinds[entry.kind]
  const mode = entry.kind === 'file' && entry.executable ? 0o755 : usual
  bytes.write(fitting(entry.kind === 'directory' ? `${entry.path}/` : entry.path), 0)
  bytes.write(octal(mode, 8), 100)
  bytes.write(octal(0, 8), 108)
  bytes.write(octal(0, 8), 116)
  bytes.write(octal(size, 12), 124)
  bytes.write(octal(0, 12), 136)
  bytes.write(' '.repeat(8), 148)
  bytes.write(flag, 156)
  if (entry.kind === 'link') bytes.write(fitting(entry.target), 157)
  bytes.write('ustar\0' + '00', 257)
  // The sum is taken with blanks in its own place.
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  bytes.write(`${octal(sum, 7)} `, 148)
  return bytes
}

function fitting(path: string): string {
  if (Buffer.byteLength(path) <= nameBytes) return path
  throw new CliError('USAGE', `${path} does not fit in a tar header`, 'use a path of at most 100 bytes')
}

/** An octal number in a field of so many bytes, of which the last is NUL. */
function octal(value: number, bytes: number): string {
  return `${value.toString(8).padStart(bytes - 1, '0')}\0`
}

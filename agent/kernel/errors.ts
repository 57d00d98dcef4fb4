/** What can go wrong between us and the kernel's packet rules, read from the words of nft in this file and nowhere else. */
import { WherryError } from '../../api/errors.ts'

export type KernelErrorCode = 'KERNEL_EXISTS' | 'KERNEL_NOT_FOUND' | 'KERNEL_BUSY' | 'KERNEL_REFUSED' | 'SETUP'

export interface KernelErrorDetails {
  /** The tool's own words about the first thing it complained of. */
  readonly said?: string
  /** Where in the payload, counted from 1. */
  readonly line?: number
  /** The payload around that line, a few KB at most. */
  readonly excerpt?: string
  readonly cause?: unknown
}

/** The error of the kernel room. `SETUP` when no way to the kernel could be opened at all. */
export class KernelError extends WherryError {
  readonly said: string | undefined
  readonly line: number | undefined
  readonly excerpt: string | undefined

  constructor(code: KernelErrorCode, message: string, details: KernelErrorDetails = {}) {
    super(code, message, details.cause === undefined ? undefined : { cause: details.cause })
    this.said = details.said
    this.line = details.line
    this.excerpt = details.excerpt
  }
}

/**
 * The errno texts of libc (strerror(3)) and the few complaints that nft makes of its own accord before it asks the kernel.
 * What is not here is KERNEL_REFUSED.
 */
const meanings: readonly { readonly words: RegExp; readonly code: KernelErrorCode }[] = [
  { words: /File exists|overlaps with an existing one|conflicting intervals/, code: 'KERNEL_EXISTS' },
  { words: /No such file or directory|does not exist/, code: 'KERNEL_NOT_FOUND' },
  { words: /Device or resource busy/, code: 'KERNEL_BUSY' },
]

/** `PATH:LINE:COLUMN-COLUMN: Error: words`, or `netlink: Error: words`, or `Error: words`. */
const complaint = /^(?:\S+?:(\d+):(\d+)-\d+: |[a-z]+: )?Error: (.*)$/m

/** @param stderr what nft or libnftables said of a payload that it refused */
export function refusalOf(stderr: string, payload: string, cause?: unknown): KernelError {
  const match = complaint.exec(stderr)
  const said = (match?.[3] ?? stderr.trim()).slice(0, 1000)
  const code = meanings.find(({ words }) => words.test(said))?.code ?? 'KERNEL_REFUSED'
  // nft counts from 1; 0 stands for places within itself.
  const line = Number(match?.[1]) || undefined
  const excerpt = line === undefined ? undefined : excerptOf(payload, line, Number(match?.[2]))
  return new KernelError(code, `nft refused ${line === undefined ? 'a payload' : `line ${line}`}: ${said || 'without a word'}`, {
    said,
    line,
    excerpt,
    cause,
  })
}

const around = { lines: 2, columns: 500 } as const

/** The line and its neighbours: of the line a window around the column, of its neighbours the beginning. */
function excerptOf(payload: string, line: number, column: number): string {
  const first = Math.max(1, line - around.lines)
  const from = Math.max(0, column - around.columns)
  return payload
    .split('\n', line + around.lines)
    .slice(first - 1)
    .map((text, i) => {
      if (first + i !== line) return `  ${first + i}: ${text.slice(0, around.columns)}`
      return `> ${line}: ${text.slice(from, from + 2 * around.columns)}`
    })
    .join('\n')
}

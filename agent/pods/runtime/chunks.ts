/**
 * What a container's logger and whoever attaches say to each other over a Unix socket: a byte for the kind, four for the
 * length (the first is the highest), and so many bytes. Pure.
 */
import { RuntimeError } from './error.ts'

const kinds = {
  /** To who attaches: what the container says. */
  out: 1,
  err: 2,
  /** To who attaches: its input was taken, more may come. */
  taken: 3,
  /** From who attaches: for the container's stdin; the next one when this was taken. Without bytes: there will be some. */
  input: 4,
  /** From who attaches: no more input. */
  inputEnd: 5,
} as const

export type ChunkKind = keyof typeof kinds

export interface Chunk {
  readonly kind: ChunkKind
  readonly bytes: Uint8Array
}

const kindOf = new Map<number, ChunkKind>(Object.entries(kinds).map(([kind, number]) => [number, kind as ChunkKind]))
const headBytes = 5
/** More than is read at a time; a longer chunk is none of ours. */
const maxChunk = 1 << 20
const nothing = new Uint8Array()

export function writeChunk(kind: ChunkKind, bytes: Uint8Array = nothing): Uint8Array {
  const head = Buffer.alloc(headBytes)
  head.writeUInt8(kinds[kind])
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** Takes bytes as they come, cut anywhere; gives the chunks that are whole. @throws RuntimeError CONTAINER_UNKNOWN for what is none */
export function createChunkReader(): (part: Uint8Array) => readonly Chunk[] {
  let rest: Buffer = Buffer.alloc(0)
  return (part) => {
    rest = Buffer.concat([rest, part])
    const chunks: Chunk[] = []
    while (rest.length >= headBytes) {
      const kind = kindOf.get(rest.readUInt8())
      const length = rest.readUInt32BE(1)
      if (kind === undefined || length > maxChunk) throw new RuntimeError('CONTAINER_UNKNOWN', 'a socket of a container says what no logger says')
      if (rest.length < headBytes + length) break
      chunks.push({ kind, bytes: rest.subarray(headBytes, headBytes + length) })
      rest = rest.subarray(headBytes + length)
    }
    return chunks
  }
}

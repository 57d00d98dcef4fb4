/** Header blocks of one SPDY connection: each way they share one zlib stream, so they are written and read in their order. */
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib'
import { badRequest } from '../../../api/status.ts'
import { spdyDictionary } from './dictionary.ts'

export type SpdyHeaders = Readonly<Record<string, string>>

export interface HeaderBlocks {
  /** @throws StatusError BadRequest for what is no header block, or a large one */
  read(block: Buffer): Promise<SpdyHeaders>
  write(headers: SpdyHeaders): Promise<Buffer>
  close(): void
}

/** A client's say a few words each. */
const maxBytes = 16 * 1024
const malformed = 'a SPDY frame has headers that cannot be read'

export function createHeaderBlocks(): HeaderBlocks {
  const dictionary = spdyDictionary()
  const inflate = createInflate({ dictionary })
  const deflate = createDeflate({ dictionary })
  return {
    async read(block) {
      if (block.length > maxBytes) throw badRequest(malformed)
      return parse(await passed(inflate, block))
    },
    write: (headers) => passed(deflate, print(headers)),
    close() {
      inflate.close()
      deflate.close()
    },
  }
}

/** What comes out when this has gone in. */
function passed(stream: Inflate | Deflate, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let size = 0
    const end = (finish: () => void): void => {
      stream.off('data', take).off('error', fail)
      finish()
    }
    const fail = (): void => end(() => reject(badRequest(malformed)))
    const take = (part: Buffer): void => {
      size += part.length
      if (size > maxBytes) fail()
      else parts.push(part)
    }
    stream.on('data', take).on('error', fail)
    stream.write(bytes)
    stream.flush(constants.Z_SYNC_FLUSH, () => end(() => resolve(Buffer.concat(parts))))
  })
}

/** A number of pairs; each a name and a value with their lengths before them. Names are in lower case. */
function parse(block: Buffer): SpdyHeaders {
  const headers: Record<string, string> = {}
  let at = 0
  const number = (): number => {
    if (at + 4 > block.length) throw badRequest(malformed)
    at += 4
    return block.readUInt32BE(at - 4)
  }
  const text = (): string => {
    const length = number()
    if (at + length > block.length) throw badRequest(malformed)
    at += length
    return block.toString('utf8', at - length, at)
  }
  for (let left = number(); left > 0; left--) headers[text().toLowerCase()] = text()
  return headers
}

function print(headers: SpdyHeaders): Buffer {
  const pairs = Object.entries(headers)
  const parts = [sized(pairs.length), ...pairs.flat().flatMap((word) => [sized(Buffer.byteLength(word)), Buffer.from(word)])]
  return Buffer.concat(parts)
}

function sized(length: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  return bytes
}

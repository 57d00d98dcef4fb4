/** A stream of bytes, cut at line breaks: how a Kubernetes watch frames its events. */
import { Buffer } from 'node:buffer'
import { ProxyError } from '../error.ts'

export interface Lines {
  /** @returns the lines that are complete now. @throws ProxyError API_UNREADABLE for a line beyond the bound */
  push(chunk: Buffer): readonly string[]
}

/** @param most bytes of one line; an object in etcd is 1.5 MB at most */
export function createLines(most: number): Lines {
  let waiting: Buffer[] = []
  let size = 0
  return {
    push(chunk) {
      const lines: string[] = []
      let from = 0
      for (let end = chunk.indexOf(10, from); end >= 0; end = chunk.indexOf(10, from)) {
        const part = chunk.subarray(from, end)
        if (size + part.length > most) throw tooLong(most)
        const line = size > 0 ? Buffer.concat([...waiting, part]).toString() : part.toString()
        waiting = []
        size = 0
        from = end + 1
        if (line.trim() !== '') lines.push(line)
      }
      if (from < chunk.length) {
        const rest = chunk.subarray(from)
        size += rest.length
        if (size > most) throw tooLong(most)
        waiting.push(rest)
      }
      return lines
    },
  }
}

const tooLong = (most: number): ProxyError => new ProxyError('API_UNREADABLE', `a line of a watch is longer than ${most} bytes`)

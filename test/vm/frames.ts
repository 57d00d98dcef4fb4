/** How the host and a test machine talk over a port: values as structured clones, each behind its length in bytes (32 bits, big-endian). */
import { deserialize, serialize } from 'node:v8'

const head = 4

export function frame(value: unknown): Buffer {
  const body = serialize(value)
  const length = Buffer.alloc(head)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

/** Takes chunks as they come and hands on each value as soon as it is whole. */
export function createFrameReader(onValue: (value: unknown) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = []
  let held = 0
  return (chunk) => {
    chunks.push(chunk)
    held += chunk.length
    while (held >= head) {
      // Joined only when a frame is whole, so a long frame in many chunks is copied once.
      if (chunks[0]!.length < head) chunks = [Buffer.concat(chunks)]
      const end = head + chunks[0]!.readUInt32BE(0)
      if (held < end) return
      const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      chunks = all.length > end ? [all.subarray(end)] : []
      held -= end
      onValue(deserialize(all.subarray(head, end)))
    }
  }
}

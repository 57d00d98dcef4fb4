import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createChunkReader, writeChunk, type ChunkKind } from './chunks.ts'

const kinds: readonly ChunkKind[] = ['out', 'err', 'taken', 'input', 'inputEnd']

test('chunks come as they were sent, wherever they are cut', () => {
  const chunk = fc.record({ kind: fc.constantFrom(...kinds), bytes: fc.uint8Array({ maxLength: 40 }) })
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 8 }), fc.array(fc.nat(60)), (chunks, cuts) => {
      const wire = Buffer.concat(chunks.map(({ kind, bytes }) => writeChunk(kind, bytes)))
      const reader = createChunkReader()
      const came = []
      let at = 0
      for (const cut of [...cuts, wire.length]) {
        came.push(...reader(wire.subarray(at, at + cut)))
        at += cut
      }
      expect(came.map(({ kind, bytes }) => [kind, [...bytes]])).toEqual(chunks.map(({ kind, bytes }) => [kind, [...bytes]]))
    }),
  )
})

test.each([
  ['an unknown kind', Buffer.from([9, 0, 0, 0, 1, 0])],
  ['a length that nobody sends', Buffer.from([1, 0xff, 0, 0, 0])],
])('%s is refused by its code', (_, bytes) => {
  expect(() => createChunkReader()(bytes)).toThrow(expect.objectContaining({ code: 'CONTAINER_UNKNOWN' }))
})

/** What the fuzz targets share: how long they run, and bytes that are nearly right. */
import fc from 'fast-check'

/** Seconds for each target: few in `npm test`, many by `npm run fuzz`. */
export const seconds = Number(process.env.FUZZ_SECONDS ?? 2)

/** Runs until the time is over. A failure prints the seed and the smallest input that was found. */
export async function fuzz<T>(arbitrary: fc.Arbitrary<T>, check: (input: T) => Promise<void> | void): Promise<void> {
  const property = fc.asyncProperty(arbitrary, async (input) => check(input))
  await fc.assert(property, { numRuns: 10_000_000, interruptAfterTimeLimit: seconds * 1000 })
}

/** A test's own limit: the target's time, and time to find the smallest failing input. */
export const limitMs = seconds * 1000 + 60_000

type Change = { readonly kind: 'flip' | 'cut' | 'insert' | 'repeat' | 'end'; readonly at: number; readonly length: number; readonly byte: number }

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'insert', 'repeat', 'end'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 64 }),
  byte: fc.integer({ min: 0, max: 255 }),
})

function changed(bytes: Buffer, { kind, at: share, length, byte }: Change): Buffer {
  const at = Math.min(bytes.length, Math.floor(share * bytes.length))
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (kind) {
    case 'flip':
      return Buffer.concat([before, Buffer.from([byte]), after.subarray(1)])
    case 'cut':
      return Buffer.concat([before, after.subarray(length)])
    case 'insert':
      return Buffer.concat([before, Buffer.alloc(length, byte), after])
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, length), after])
    case 'end':
      return before
  }
}

/** One of the samples, as it is or with a few changes; or bytes of no sense at all. */
export function nearly(samples: readonly (string | Buffer)[]): fc.Arbitrary<Buffer> {
  const one = fc.constantFrom(...samples.map((s) => Buffer.from(s)))
  const few = fc.tuple(one, fc.array(change, { maxLength: 4 })).map(([bytes, changes]) => changes.reduce(changed, bytes))
  return fc.oneof({ arbitrary: few, weight: 9 }, { arbitrary: fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b)), weight: 1 })
}

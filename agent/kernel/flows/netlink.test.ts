import { describe, expect, test } from 'vitest'
import { openFlowNetlink } from './netlink.ts'
import type { Flow, Removal } from './table.ts'
import type { NetlinkTalk } from '../netlink.ts'

const never = new AbortController().signal

// ── messages, written by hand ────────────────────────────────────────────────

const attribute = (type: number, ...value: readonly (Buffer | readonly number[])[]): Buffer => {
  const body = Buffer.concat(value.map((part) => Buffer.from(part)))
  const padded = Buffer.alloc(4 + Math.ceil(body.length / 4) * 4)
  padded.writeUInt16LE(4 + body.length, 0)
  padded.writeUInt16LE(type, 2)
  body.copy(padded, 4)
  return padded
}
const message = (type: number, ...body: readonly Buffer[]): Buffer => {
  const bytes = Buffer.concat([Buffer.alloc(16), ...body])
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt16LE(type, 4)
  return bytes
}
const int = (value: number): Buffer => Buffer.from(new Int32Array([value]).buffer)
const port = (value: number): readonly number[] => [value >> 8, value & 255]

interface Ends {
  readonly source: readonly number[]
  readonly destination: readonly number[]
  readonly ports: readonly [source: number, destination: number]
  readonly protocol?: number
}
const tuple = (type: number, { source, destination, ports, protocol = 17 }: Ends): Buffer =>
  attribute(
    type | 0x8000,
    attribute(0x8001, attribute(1, source), attribute(2, destination)),
    attribute(0x8002, attribute(1, [protocol]), attribute(2, port(ports[0])), attribute(3, port(ports[1]))),
  )
const [client, vip, pod] = [[10, 0, 0, 1], [10, 96, 0, 10], [10, 244, 0, 2]]

/** An entry of a client that keeps the port, with things in between that nobody asked for. */
const entry = (id: number, protocol = 17): Buffer =>
  message(
    0x0100,
    Buffer.from([2, 0, 0, 0]),
    tuple(1, { source: client, destination: vip, ports: [id, 53], protocol }),
    attribute(3, [0, 0, 0, 8]),
    tuple(2, { source: pod, destination: client, ports: [5353, id], protocol }),
    attribute(12, int(id)),
  )
const done = message(3, int(0))
const verdict = (errno: number): Buffer => message(2, int(-errno), Buffer.alloc(16))

interface Answers {
  readonly listing?: readonly Buffer[]
  /** An errno; 0 for yes, undefined for silence. */
  readonly verdictOf?: (id: number) => number | undefined
}

/** A kernel with this many entries, which answers as told. */
function kernelOf(count: number, { listing, verdictOf = () => 0 }: Answers = {}) {
  const held = new Set(Array.from({ length: count }, (_, i) => i + 1))
  const asked: number[] = []
  let [listings, open] = [0, 0]
  const talk = (): NetlinkTalk => {
    let answers: Buffer[] = []
    open++
    return {
      ask(question) {
        if (question.readUInt16LE(4) === 0x0101) {
          listings++
          answers = [...(listing ?? [...[...held].map((id) => entry(id)), done])]
          return
        }
        const id = question.readUInt32LE(question.length - 4)
        asked.push(id)
        const errno = verdictOf(id)
        if (errno === 0) held.delete(id)
        answers = errno === undefined ? [] : [verdict(errno)]
      },
      answer: () => answers.shift(),
      close: () => void open--,
    }
  }
  return { held, asked, counts: () => ({ listings, open }), table: () => openFlowNetlink('ip', { open: async () => talk(), mostAtOnce: 600 }) }
}

const removal = (part: Partial<Removal> = {}): Removal & { readonly removed: Flow[] } => {
  const removed: Flow[] = []
  return { isStale: () => true, onRemoved: (flow) => removed.push(flow), removed, ...part }
}

describe('the table of flows by netlink', () => {
  test('reads an entry as it is', async () => {
    const kernel = kernelOf(1)
    const all = removal()
    await (await kernel.table()).remove(all, never)
    expect(all.removed).toEqual([{ service: { address: '10.96.0.10', port: 53 }, target: { address: '10.244.0.2', port: 5353 } }])
    expect(kernel.asked).toEqual([1])
    expect(kernel.counts()).toEqual({ listings: 1, open: 0 })
  })

  test('what ended by itself, or is in hardware, is no failure, does not count and does not stop the rest', async () => {
    const kernel = kernelOf(4, { verdictOf: (id) => [0, 2, 16, 0][id - 1] })
    const all = removal()
    await (await kernel.table()).remove(all, never)
    expect([kernel.asked, all.removed.length, kernel.counts()]).toEqual([[1, 2, 3, 4], 2, { listings: 1, open: 0 }])
  })

  test('more than is kept at once takes another listing, but not where nothing can be deleted', async () => {
    const many = kernelOf(601)
    await (await many.table()).remove(removal(), never)
    expect([many.held.size, many.counts()]).toEqual([0, { listings: 2, open: 0 }])
    const stuck = kernelOf(601, { verdictOf: () => 16 })
    await (await stuck.table()).remove(removal(), never)
    expect([stuck.held.size, stuck.counts()]).toEqual([601, { listings: 1, open: 0 }])
  })

  test.each([
    ['a listing that breaks off', { listing: [entry(1)] }],
    ['a listing that is refused', { listing: [verdict(1)] }],
    ['a listing that ends badly', { listing: [entry(1), message(3, int(-5))] }],
    ['a deletion that is refused', { verdictOf: () => 1 }],
    ['a deletion without an answer', { verdictOf: () => undefined }],
  ])('%s is an error, and leaves no socket', async (_, how) => {
    const kernel = kernelOf(1, how)
    await expect((await kernel.table()).remove(removal(), never)).rejects.toMatchObject({ code: 'KERNEL_REFUSED' })
    expect([kernel.held.size, kernel.counts().open]).toEqual([1, 0])
  })

  test('entries that are cut short or of another protocol are left out', async () => {
    const cut = entry(7)
    cut.writeUInt16LE(200, 20)
    const kernel = kernelOf(0, { listing: [Buffer.concat([entry(6, 6), cut, entry(8)]), Buffer.from([1, 2, 3]), done] })
    const all = removal()
    await (await kernel.table()).remove(all, never)
    expect(kernel.asked).toEqual([8])
  })

  test('stops between turns when it is told to', async () => {
    const kernel = kernelOf(1000)
    const stop = new AbortController()
    const removing = (await kernel.table()).remove(removal({ onRemoved: () => stop.abort(new Error('enough')) }), stop.signal)
    await expect(removing).rejects.toThrow('enough')
    expect(kernel.held.size).toBeGreaterThan(0)
    expect(kernel.counts().open).toBe(0)
  })

  test('a Node that cannot talk to the kernel is told so at once', async () => {
    const table = openFlowNetlink('ip', { open: () => Promise.reject(new Error('no')) })
    await expect(table).rejects.toThrow('no')
  })
})

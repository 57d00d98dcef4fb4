import { expect, test } from 'vitest'
import type { NodeReport } from '../../api/frames.ts'
import { createLines } from '../../test/scenarios/link-lines.ts'
import { createReportQueue } from './report-queue.ts'

const pod = (name: string, phase: 'Pending' | 'Running' | 'Failed'): NodeReport => ({ kind: 'pod', key: `default/${name}`, uid: name, status: { phase } })
const event = (message: string): NodeReport => ({
  kind: 'event',
  event: { type: 'Normal', reason: 'R', message, about: { kind: 'Node', name: 'node1', uid: '' } },
})

function open(bound?: number) {
  const kept: NodeReport[] = []
  const lines = createLines()
  let inHand = 0
  const queue = createReportQueue({
    log: lines.log,
    ...(bound !== undefined && { bound }),
    async keep(report) {
      expect(++inHand).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      kept.push(report)
      inHand--
    },
  })
  return { queue, kept, lines }
}

test('keeps one after the other, in their order', async () => {
  const { queue, kept } = open()
  const reports = [pod('a', 'Pending'), event('1'), { kind: 'lease' }, event('2'), pod('b', 'Pending')] as const
  for (const report of reports) queue.add(report)
  await queue.idle()
  expect(kept).toEqual(reports)
  queue.add(pod('a', 'Running'))
  await queue.idle()
  expect(kept.at(-1)).toEqual(pod('a', 'Running'))
})

test('of what waits, only the newest word about a thing is kept, and every event', async () => {
  const { queue, kept } = open()
  // The first is under way at once.
  queue.add({ kind: 'lease' })
  for (const phase of ['Pending', 'Running', 'Failed'] as const) {
    queue.add(pod('a', phase))
    queue.add({ kind: 'lease' })
    queue.add(event('same'))
  }
  await queue.idle()
  expect(kept).toEqual([{ kind: 'lease' }, pod('a', 'Failed'), { kind: 'lease' }, event('same'), event('same'), event('same')])
})

test('over its bound it drops the oldest events first, then the oldest of all, and says how many', async () => {
  const { queue, kept, lines } = open(3)
  queue.add({ kind: 'lease' })
  for (const report of [event('1'), pod('a', 'Running'), event('2'), pod('b', 'Running'), pod('c', 'Running'), pod('d', 'Running')]) queue.add(report)
  await queue.idle()
  expect(kept.slice(1)).toEqual([pod('b', 'Running'), pod('c', 'Running'), pod('d', 'Running')])
  expect(lines.of('reports of a node came too fast and were dropped')).toMatchObject([{ dropped: 3 }])
})

import { describe, expect, test } from 'vitest'
import type { HubFrame, NodeReport, ReportFrame } from '../../api/frames.ts'
import * as kit from '../../test/kit/objects.ts'
import { createOutbox, type Outbox } from './outbox.ts'

const report = (of: NodeReport): ReportFrame => ({ kind: 'report', report: of })
const node = (cpu: string): ReportFrame => report({ kind: 'node', labels: {}, status: { capacity: { cpu } } })
const pod = (name: string, uid: string, phase: 'Pending' | 'Running' = 'Running'): ReportFrame =>
  report({ kind: 'pod', key: `default/${name}`, uid, status: { phase } })
const gone = (name: string, uid: string): ReportFrame => report({ kind: 'podGone', key: `default/${name}`, uid })
const event = (message: string): ReportFrame =>
  report({ kind: 'event', event: { type: 'Normal', reason: 'R', message, about: { kind: 'Node', name: 'node1', uid: '' } } })
const set = (name: string, uid: string): HubFrame => ({
  kind: 'set',
  resource: 'pods',
  revision: 1,
  object: kit.stored(kit.pod({ metadata: { name } }), { uid }),
})
const deleted = (name: string): HubFrame => ({ kind: 'delete', resource: 'pods', revision: 1, key: `default/${name}` })

function outboxWith(...frames: readonly HubFrame[]): Outbox {
  const outbox = createOutbox()
  for (const frame of frames) outbox.heard(frame)
  return outbox
}

test('the latest of each is told after every welcome, whether it was sent before or not', () => {
  const outbox = outboxWith(set('a', '1'), set('b', '2'))
  const ack = (applied: number) => ({ kind: 'ack', received: 9, applied }) as const
  for (const sent of [true, false]) {
    for (const frame of [ack(1), node('1'), pod('a', '1', 'Pending'), pod('b', '2'), pod('a', '1'), node('2'), ack(2)]) outbox.tell(frame, sent)
    expect(outbox.afterWelcome()).toEqual([node('2'), pod('a', '1'), pod('b', '2'), ack(2)])
    expect(outbox.afterWelcome()).toEqual([node('2'), pod('a', '1'), pod('b', '2'), ack(2)])
  }
})

test('load and lease are never told late', () => {
  const outbox = createOutbox()
  outbox.tell(report({ kind: 'lease' }), false)
  const usage = { cpuMillis: 1, memoryBytes: 1, cpuCapacityMillis: 1, memoryCapacityBytes: 1 }
  outbox.tell(report({ kind: 'usage', usage }), false)
  expect(outbox.afterWelcome()).toEqual([])
})

test('events wait for a connection, the newest of them, and are told once', () => {
  const outbox = createOutbox()
  outbox.tell(event('sent'), true)
  for (let i = 0; i < 300; i++) outbox.tell(event(String(i)), false)
  expect(outbox.afterWelcome()).toEqual(Array.from({ length: 256 }, (_, i) => event(String(i + 44))))
  expect(outbox.afterWelcome()).toEqual([])
})

describe('the word about a pod', () => {
  test('is kept until the hub has deleted it', () => {
    const outbox = outboxWith(set('a', '1'))
    outbox.tell(pod('a', '1'), true)
    outbox.tell(gone('a', '1'), true)
    expect(outbox.afterWelcome()).toEqual([gone('a', '1')])
    outbox.heard(deleted('a'))
    expect(outbox.afterWelcome()).toEqual([])
  })

  test('is not kept of a pod that the hub does not have, or has as another one', () => {
    const outbox = outboxWith(set('a', '2'))
    outbox.tell(gone('a', '1'), false)
    outbox.tell(pod('b', '1'), false)
    expect(outbox.afterWelcome()).toEqual([])
  })

  test('is forgotten when another pod takes the name', () => {
    const outbox = outboxWith(set('a', '1'))
    outbox.tell(gone('a', '1'), true)
    outbox.heard(set('a', '1'))
    expect(outbox.afterWelcome()).toEqual([gone('a', '1')])
    outbox.heard(set('a', '2'))
    expect(outbox.afterWelcome()).toEqual([])
  })

  test('outlives a reset only if the hub names the pod again', () => {
    const outbox = outboxWith(set('a', '1'), set('b', '2'))
    outbox.tell(pod('a', '1'), true)
    outbox.tell(pod('b', '2'), true)
    outbox.heard({ kind: 'reset' })
    outbox.heard(set('a', '1'))
    expect(outbox.afterWelcome()).toEqual([pod('a', '1'), pod('b', '2')])
    outbox.heard({ kind: 'sync', revision: 5 })
    expect(outbox.afterWelcome()).toEqual([pod('a', '1')])
    outbox.tell(pod('b', '2'), false)
    expect(outbox.afterWelcome()).toEqual([pod('a', '1')])
  })
})

import { expect, test } from 'vitest'
import { decodeHubFrame, encode } from '../../api/codec.ts'
import type { HubFrame } from '../../api/frames.ts'
import type { KubeObject } from '../../api/objects.ts'
import { createLines } from '../../test/scenarios/link-lines.ts'
import { createFakeClock } from '../../test/kit/clock.ts'
import * as kit from '../../test/kit/objects.ts'
import { createEncoder } from './encoder.ts'
import type { AgentChange } from './interest.ts'
import { project } from './project.ts'

function counting() {
  const frames: HubFrame[] = []
  const lines = createLines()
  const toBytes = (frame: HubFrame): Uint8Array => {
    frames.push(frame)
    return encode(frame)
  }
  const clock = createFakeClock()
  return { frames, lines, clock, encoder: createEncoder({ clock, log: lines.log, toBytes }) }
}

test('encodes an object, a deletion and a marker once each', () => {
  const { frames, encoder } = counting()
  const object = kit.stored(kit.service(), { resourceVersion: '7' })
  const change: AgentChange = { revision: 9, type: 'DELETED', resource: 'services', object }
  expect(encoder.set('services', object)).toBe(encoder.set('services', object))
  expect(encoder.remove(change)).toBe(encoder.remove(change))
  expect(encoder.sync(9)).toBe(encoder.sync(9))
  expect(frames).toHaveLength(3)
  expect(decodeHubFrame(encoder.set('services', object)!)).toEqual({ kind: 'set', resource: 'services', revision: 7, object: project('services', object) })
  expect(decodeHubFrame(encoder.remove(change))).toEqual({ kind: 'delete', resource: 'services', revision: 9, key: 'default/web' })
  expect(decodeHubFrame(encoder.sync(10))).toEqual({ kind: 'sync', revision: 10 })
})

test('of a slice it encodes the endpoints that changed, once, unless the agent cannot have the state before', () => {
  const { frames, encoder } = counting()
  const slice = (resourceVersion: string, address: string, name = 'http') => kit.stored(kit.endpointSlice({ ports: [{ name, port: 8080 }], endpoints: [{ addresses: [address] }] }), { resourceVersion })
  const change = (previous: KubeObject, object: KubeObject): AgentChange => ({ revision: 9, type: 'MODIFIED', resource: 'endpointslices.discovery.k8s.io', object, previous })
  const small = change(slice('7', '10.0.0.1'), slice('9', '10.0.0.2'))
  expect(encoder.change(small)).toBe(encoder.change(small))
  expect(frames).toHaveLength(1)
  expect(decodeHubFrame(encoder.change(small)!)).toEqual({ kind: 'endpoints', revision: 9, key: 'default/web-1', from: 7, edits: [{ at: 0, gone: 1, come: [{ addresses: ['10.0.0.2'] }] }] })
  const huge = slice('7', '10.0.0.1', 'x'.repeat(9_000_000))
  expect(encoder.set('endpointslices.discovery.k8s.io', huge)).toBeUndefined()
  const known = frames.length
  encoder.change(change(huge, slice('9', '10.0.0.2', 'x'.repeat(9_000_000))))
  expect(frames.slice(known).map((f) => f.kind)).toEqual(['set'])
})

test('says once of an object that it does not fit, and goes on', () => {
  const { frames, lines, encoder } = counting()
  const huge = kit.stored(kit.service({ spec: { externalName: 'x'.repeat(9_000_000) } }))
  expect([encoder.set('services', huge), encoder.set('services', huge)]).toEqual([undefined, undefined])
  expect(frames).toHaveLength(1)
  expect(lines.of('an object cannot be sent to the agents')).toMatchObject([{ key: 'default/web', code: 'FRAME_TOO_LARGE' }])
})

test('forgets bytes that nobody asked for in a while, and then waits for nothing', async () => {
  const { frames, clock, encoder } = counting()
  const object = kit.stored(kit.service(), { resourceVersion: '7' })
  encoder.set('services', object)
  await clock.advance(13_000)
  encoder.set('services', object)
  await clock.advance(13_000)
  encoder.set('services', object)
  expect([frames.length, clock.waiting]).toEqual([1, 1])
  for (let n = 0; n < 3; n++) await clock.advance(10_000)
  expect(clock.waiting).toBe(0)
  encoder.set('services', object)
  expect(frames).toHaveLength(2)
  encoder.close()
  expect(clock.waiting).toBe(0)
})

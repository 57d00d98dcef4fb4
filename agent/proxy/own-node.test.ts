import { describe, expect, test } from 'vitest'
import type { Node } from '../../api/objects.ts'
import { silentLog } from '../../api/log.ts'
import { createFakeClock, settled } from '../../test/kit/clock.ts'
import type { DetectLocal } from './config/proxy-config.ts'
import { createOwnNode, type NodeFacts } from './own-node.ts'

const node = (podCIDRs: readonly string[], addresses: readonly string[], more: object = {}): Node =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node1', uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', ...more },
    spec: { podCIDR: podCIDRs[0], podCIDRs },
    status: { addresses: [{ type: 'Hostname', address: 'node1' }, ...addresses.map((address) => ({ type: 'InternalIP', address }))] },
  }) as unknown as Node

function own(detectLocal: DetectLocal['kind'] = 'cluster-cidr') {
  const clock = createFakeClock()
  const stop = new AbortController()
  const made = createOwnNode({ name: 'node1', detectLocal, clock, log: silentLog })
  let outcome: unknown
  const told: NodeFacts[] = []
  const facts = made.facts((changed) => told.push(changed), stop.signal).then(
    (f) => (outcome = f),
    (e: unknown) => (outcome = e),
  )
  let outdated: unknown
  made.outdated.catch((e: unknown) => (outdated = e))
  return { clock, stop, made, facts, told, outcome: async () => (await settled(), outcome), outdated: async () => (await settled(), outdated) }
}

describe('the facts', () => {
  test('are there when the node has an address', async () => {
    const { made, outcome } = own()
    expect(await outcome()).toBeUndefined()
    made.take(node([], []))
    expect(await outcome()).toBeUndefined()
    made.take(node(['10.244.1.0/24'], ['198.18.0.11', '2001:db8::11']))
    expect(await outcome()).toEqual({ podCIDRs: ['10.244.1.0/24'], addresses: ['198.18.0.11', '2001:db8::11'] })
  })

  test('are what there is after half a minute', async () => {
    const { clock, made, outcome } = own()
    await clock.advance(29_999)
    expect(await outcome()).toBeUndefined()
    await clock.advance(1)
    expect(await outcome()).toEqual({ podCIDRs: [], addresses: [] })
    const late = own()
    late.made.take(node(['10.244.1.0/24'], []))
    await late.clock.advance(30_000)
    expect(await late.outcome()).toMatchObject({ podCIDRs: ['10.244.1.0/24'] })
    made.take(undefined)
  })

  test('wait five minutes for pod ranges, where they are needed, and then it is over', async () => {
    const { clock, made, outcome } = own('node-cidr')
    made.take(node([], ['198.18.0.11']))
    await clock.advance(299_999)
    expect(await outcome()).toBeUndefined()
    await clock.advance(1)
    expect(await outcome()).toMatchObject({ code: 'SETUP', message: expect.stringContaining('podCIDRs within 5 minutes') })
  })

  test('are not those of a node that is being deleted', async () => {
    const { made, outcome } = own()
    made.take(node([], ['198.18.0.11'], { deletionTimestamp: '2026-01-01T00:00:00Z' }))
    expect(await outcome()).toBeUndefined()
    made.take(node([], ['198.18.0.12']))
    expect(await outcome()).toMatchObject({ addresses: ['198.18.0.12'] })
  })

  test('are not waited for after the end', async () => {
    const { stop, clock, outcome } = own()
    stop.abort(new Error('over'))
    expect(await outcome()).toMatchObject({ message: 'over' })
    expect(clock.waiting).toBe(0)
  })
})

const first = node(['10.244.1.0/24'], ['198.18.0.11'])

describe('other pod ranges', () => {
  test.each<[string, DetectLocal['kind'], RegExp | undefined]>([
    ['where they count, end it', 'node-cidr', /podCIDRs of node node1 changed from 10\.244\.1\.0\/24 to 10\.244\.2\.0\/24/],
    ['where they do not, mean nothing', 'cluster-cidr', undefined],
  ])('%s', async (_what, detect, message) => {
    const { made, outcome, outdated } = own(detect)
    made.take(first)
    await outcome()
    made.take(first)
    expect(await outdated()).toBeUndefined()
    made.take(node(['10.244.2.0/24'], ['198.18.0.11']))
    if (message) expect(await outdated()).toMatchObject({ code: 'RESTART_NEEDED', message: expect.stringMatching(message) })
    else expect(await outdated()).toBeUndefined()
  })
})

describe('other addresses', () => {
  test.each<[string, readonly string[], boolean]>([
    ['the primary one', ['198.18.0.12'], true],
    ['one of the other family', ['198.18.0.11', '2001:db8::1'], true],
    ['a second one of the family', ['198.18.0.11', '198.18.0.99'], false],
    ['none for a while', [], false],
    ['the same', ['198.18.0.11'], false],
  ])('%s', async (_what, addresses, told) => {
    const o = own()
    o.made.take(first)
    await o.outcome()
    o.made.take(node(['10.244.1.0/24'], addresses))
    expect(o.told.map((f) => f.addresses)).toEqual(told ? [addresses] : [])
    expect(o.made.known().addresses).toEqual(told ? addresses : ['198.18.0.11'])
    expect(await o.outdated()).toBeUndefined()
  })

  test('mean nothing before the facts were given out, or when the node is gone', async () => {
    const o = own()
    o.made.take(node([], []))
    o.made.take(first)
    await o.outcome()
    o.made.take(undefined)
    expect(o.told).toEqual([])
  })
})

import { describe, expect, test } from 'vitest'
import { endpointView } from '../test/kit/views.ts'
import { select } from './select.ts'

const ready = endpointView('10.244.0.1')
const leaving = endpointView('10.244.0.2', { ready: false, terminating: true })
const deaf = endpointView('10.244.0.3', { ready: false, serving: false, terminating: true })
const unready = endpointView('10.244.0.4', { ready: false })
const published = endpointView('10.244.0.5', { serving: false, terminating: true })

test.each([
  { name: 'nothing', given: [], chosen: [] },
  { name: 'ready ones only', given: [ready, leaving, deaf, unready], chosen: [ready] },
  { name: 'what is called ready is ready, whatever else is said of it', given: [published, leaving], chosen: [published] },
  { name: 'without a ready one, those that still serve while they end', given: [leaving, deaf, unready], chosen: [leaving] },
  { name: 'unready is no way out', given: [deaf, unready], chosen: [] },
])('$name', ({ given, chosen }) => {
  expect(select(Object.freeze(given)).cluster).toEqual(chosen)
})

test('one address and port counts once, as local if one entry says so', () => {
  const local = endpointView('10.244.0.1', { node: 'here' })
  const otherPort = endpointView('10.244.0.1', { port: 9090 })
  for (const given of [[ready, local, otherPort], [otherPort, local, ready, ready]]) expect(select(given).cluster).toEqual([local, otherPort])
})

test('an unready copy does not take the place of the ready one', () => {
  const copy = endpointView('10.244.0.1', { node: 'here', ready: false })
  expect(select([copy, ready]).cluster).toEqual([ready])
})

test('the order of the input does not matter', () => {
  const all = [3, 1, 2].map((n) => endpointView(`10.244.0.${n}`))
  expect(select(all)).toEqual(select(all.toReversed()))
})

describe('the policy Local', () => {
  const here = endpointView('10.244.1.1', { node: 'here' })
  const leavingHere = endpointView('10.244.1.2', { node: 'here', ready: false, terminating: true })
  const unknown = endpointView('10.244.1.3', { node: 'unknown' })
  const readyThere = endpointView('10.244.2.1')

  test.each([
    { name: 'ready ones of this node', given: [here, leavingHere, unknown, readyThere], chosen: [here] },
    { name: 'terminating ones of this node, though others are ready elsewhere', given: [leavingHere, readyThere], chosen: [leavingHere] },
    { name: 'none, where nobody knows where an endpoint is', given: [unknown, readyThere], chosen: [] },
  ])('$name', ({ given, chosen }) => {
    expect(select(given).local).toEqual(chosen)
    expect(select(given).exist).toBe(true)
  })

  test('endpoints exist where one is ready, or serves while it ends', () => {
    expect(select([unready, deaf]).exist).toBe(false)
    expect(select([leaving]).exist).toBe(true)
  })
})

describe('topology hints', () => {
  const hinted = (n: number, part: Parameters<typeof endpointView>[1]) => endpointView(`10.244.0.${n}`, part)
  const mine = hinted(1, { zoneHint: 'here' })
  const theirs = hinted(2, { zoneHint: 'elsewhere' })

  test.each([
    { name: 'narrow the choice to this zone', given: [mine, theirs], chosen: [mine] },
    { name: 'count only if all ready endpoints have one', given: [mine, theirs, hinted(3, {})], chosen: [mine, theirs, hinted(3, {})] },
    { name: 'count only if one is for this zone', given: [theirs], chosen: [theirs] },
    { name: 'of unready endpoints do not count', given: [mine, theirs, hinted(3, { ready: false })], chosen: [mine] },
    { name: 'say nothing about those that end', given: [hinted(4, { ready: false, terminating: true, zoneHint: 'here' }), hinted(5, { ready: false, terminating: true, zoneHint: 'elsewhere' })], chosen: [hinted(4, { ready: false, terminating: true, zoneHint: 'here' }), hinted(5, { ready: false, terminating: true, zoneHint: 'elsewhere' })] },
    {
      name: 'for nodes go before those for zones',
      given: [hinted(6, { zoneHint: 'here', nodeHint: 'elsewhere' }), hinted(7, { zoneHint: 'here', nodeHint: 'here' })],
      chosen: [hinted(7, { zoneHint: 'here', nodeHint: 'here' })],
    },
    {
      name: 'for other nodes leave the zone to decide',
      given: [hinted(6, { zoneHint: 'here', nodeHint: 'elsewhere' }), hinted(7, { zoneHint: 'elsewhere', nodeHint: 'elsewhere' })],
      chosen: [hinted(6, { zoneHint: 'here', nodeHint: 'elsewhere' })],
    },
  ])('$name', ({ given, chosen }) => {
    expect(select(given).cluster).toEqual(chosen)
  })

  test('the policy Local does not know them', () => {
    const local = hinted(8, { node: 'here', zoneHint: 'elsewhere' })
    expect(select([mine, local]).local).toEqual([local])
  })
})

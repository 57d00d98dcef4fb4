import { expect, test } from 'vitest'
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
  const local = endpointView('10.244.0.1', { local: true })
  const otherPort = endpointView('10.244.0.1', { port: 9090 })
  for (const given of [[ready, local, otherPort], [otherPort, local, ready, ready]]) expect(select(given).cluster).toEqual([local, otherPort])
})

test('an unready copy does not take the place of the ready one', () => {
  const copy = endpointView('10.244.0.1', { local: true, ready: false })
  expect(select([copy, ready]).cluster).toEqual([ready])
})

test('the order of the input does not matter', () => {
  const all = [3, 1, 2].map((n) => endpointView(`10.244.0.${n}`))
  expect(select(all)).toEqual(select(all.toReversed()))
})

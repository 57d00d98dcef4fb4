/** What waits is bounded, and what was learned from other servers is forgotten with them. */
import { expect, test } from 'vitest'
import { createFakeClock, settled } from '../../test/kit/clock.ts'
import { silentLog } from '../../api/log.ts'
import { createCluster } from './cluster.ts'
import { createCounters } from './counters.ts'
import { answerTo, decoded, questionBytes, startUpstream } from './fake.ts'
import { createForwarder } from './forwarder.ts'
import { readQuery, type Query } from './query.ts'
import { createResponder } from './responder.ts'
import type { Upstream } from './upstreams.ts'
import { createZone } from './zone.ts'

function query(name: string): Query {
  const reading = readQuery(questionBytes(name, 'A'))
  if (reading.kind !== 'query') throw new RangeError(reading.kind)
  return reading.query
}

function forwarderTo(list: () => readonly Upstream[]) {
  const counters = createCounters()
  const clock = createFakeClock()
  return { counters, clock, forwarder: createForwarder({ upstreams: { list }, counters, clock, random: Math.random, log: silentLog }) }
}

test('256 different questions are under way at most; more fail at once, equal ones wait along', async () => {
  const mute = await startUpstream(() => undefined)
  const stop = new AbortController()
  try {
    const servers = [mute]
    const { forwarder, counters } = forwarderTo(() => servers)
    const waiting = Array.from({ length: 256 }, (_, i) => forwarder.ask(query(`${i}.example`), stop.signal))
    expect(await forwarder.ask(query('more.example'), stop.signal)).toBeUndefined()
    expect(counters.overloaded).toBe(1)
    waiting.push(forwarder.ask(query('7.example'), stop.signal))
    expect([counters.overloaded, counters.joined]).toEqual([1, 1])
    stop.abort(new DOMException('enough', 'AbortError'))
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([undefined]))
  } finally {
    mute.close()
  }
})

test('2048 clients wait at most; more are told to come again', async () => {
  const counters = createCounters()
  const told = Promise.withResolvers<undefined>()
  const zone = createZone(createCluster(), { domain: 'cluster.local', address: '169.254.20.10', ranges: [], random: Math.random })
  const responder = createResponder({ zone, forwarder: { ask: () => told.promise }, counters, log: silentLog })
  const { signal } = new AbortController()
  const waiting = Array.from({ length: 2_048 }, () => responder.respond(questionBytes('example.com', 'A'), 'udp', signal))
  await settled()
  expect(counters.replies.SERVFAIL).toBe(0)
  expect(decoded((await responder.respond(questionBytes('example.com', 'A'), 'udp', signal))!).rcode).toBe('SERVFAIL')
  expect(counters.overloaded).toBe(1)
  told.resolve(undefined)
  await Promise.all(waiting)
  expect(counters.replies.SERVFAIL).toBe(2_049)
})

test('with other servers, what the earlier ones said is forgotten', async () => {
  const answering = (address: string) => startUpstream(({ query: asked }) => answerTo(asked, [{ type: 'A', name: 'example.com', ttl: 60, data: address }]))
  const [home, abroad] = [await answering('192.0.2.1'), await answering('192.0.2.2')]
  try {
    let servers = [home]
    const { forwarder } = forwarderTo(() => servers)
    const { signal } = new AbortController()
    const heard = async () => (decoded((await forwarder.ask(query('example.com'), signal))!).answers as { data?: unknown }[]).map(({ data }) => data)
    expect(await heard()).toEqual(['192.0.2.1'])
    servers = [abroad]
    expect(await heard()).toEqual(['192.0.2.2'])
  } finally {
    for (const server of [home, abroad]) server.close()
  }
})

test('a question that is given up leaves no timer behind', async () => {
  const mute = await startUpstream(() => undefined)
  try {
    const servers = [mute]
    const { forwarder, clock } = forwarderTo(() => servers)
    const stop = new AbortController()
    const asked = forwarder.ask(query('example.com'), stop.signal)
    await settled()
    stop.abort(new DOMException('enough', 'AbortError'))
    expect(await asked).toBeUndefined()
    expect(clock.waiting).toBe(0)
  } finally {
    mute.close()
  }
})

/** What one process leaves to the next: nothing is read where nothing changed, and everything where anything may have. */
import { afterEach, expect, test } from 'vitest'
import type { NodeView } from '../../rules/model.ts'
import { nftMode, type Listing, type Transaction } from '../../rules/nft/index.ts'
import { createFakeClock, settled } from '../../test/kit/clock.ts'
import { endpointView, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import { createFakeKernel, type FakeKernel } from '../kernel/fake/nft.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { createDataplane, type Dataplane } from './dataplane.ts'
import type { Entry, Notebook } from './notebook.ts'

const never = new AbortController().signal
const viewOf = (...addresses: readonly string[]): NodeView => nodeView([serviceView({ ports: [portView({ endpoints: addresses.map((address) => endpointView(address)) })] })])
const [one, two] = [viewOf('10.244.0.2'), viewOf('10.244.0.2', '10.244.0.3')]

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

interface Agent extends Dataplane {
  readonly clock: ReturnType<typeof createFakeClock>
  /** Of the kernel. */
  readonly reads: () => number
  /** Ends it as a signal does that nobody hears. */
  kill(): Promise<void>
}

/** A kernel and a notebook that outlive the agents which `start` gives. */
function machine(part: (kernel: FakeKernel) => Partial<Kernel<Listing, Transaction>> = () => ({})) {
  const kernel = createFakeKernel({ family: 'ip' })
  let entry: Entry | undefined
  const written: Entry[] = []
  const notebook: Notebook = {
    read: () => entry,
    write: (next) => void written.push((entry = next)),
    clear: () => void (entry = undefined),
  }
  const start = (): Agent => {
    const clock = createFakeClock()
    let reads = 0
    const read: FakeKernel['read'] = (signal) => {
      reads++
      return kernel.read(signal)
    }
    const plane = createDataplane('ip', nftMode, { ...kernel, ...part(kernel), read }, { notebook, clock })
    const stop = new AbortController()
    const noting = plane.note(stop.signal)
    const kill = async (): Promise<void> => {
      stop.abort()
      await noting
    }
    stops.push(kill)
    return { ...plane, clock, reads: () => reads, kill }
  }
  return { kernel, written, entry: () => entry, start }
}

const rest = (agent: Agent): Promise<void> => agent.clock.advance(3_000)

async function served(agent: Agent, view: NodeView): Promise<void> {
  await agent.bring(view, 'all', never)
  await rest(agent)
}

test('the next process finds the kernel as it is wished, reads nothing, writes nothing, and goes on from there', async () => {
  const { kernel, start, written } = machine()
  const first = start()
  await served(first, two)
  await first.kill()
  const next = start()
  const plan = await next.bring(two, 'all', never)
  expect([plan.transaction, plan.services, plan.elements]).toEqual([undefined, 1, { added: 0, deleted: 0 }])
  expect([next.isKnown(), next.reads(), kernel.accepted.length]).toEqual([true, 0, 1])
  await rest(next)
  expect(written, 'nothing new was to be noted').toHaveLength(1)
  await next.bring(one, new Set(['default/web']), never)
  expect([next.reads(), kernel.accepted.length]).toEqual([0, 2])
  await rest(next)
  await next.kill()
  const last = start()
  await last.bring(one, 'all', never)
  expect([last.reads(), kernel.accepted.length]).toEqual([0, 2])
})

test('another wish than before: the kernel is read and brought to it', async () => {
  const { kernel, start } = machine()
  const first = start()
  await served(first, one)
  await first.kill()
  const next = start()
  await next.bring(two, 'all', never)
  expect([next.reads(), kernel.accepted.length]).toEqual([1, 2])
})

test('somebody changed any rules meanwhile: the kernel is read, and what was ours is back', async () => {
  const { kernel, start } = machine()
  const first = start()
  await served(first, two)
  await first.kill()
  kernel.meddle([{ kind: 'delete-elements', set: 'endpoints-2', keys: ['10.96.0.1 . tcp . 80 . 1'] }], { what: 'something' })
  const next = start()
  const plan = await next.bring(two, 'all', never)
  expect([next.reads(), plan.elements]).toEqual([1, { added: 1, deleted: 0 }])
})

test('a process that is killed before it has noted its last change leaves nothing to trust', async () => {
  const { start } = machine()
  const first = start()
  await served(first, two)
  await first.bring(one, new Set(['default/web']), never)
  await first.clock.advance(900)
  await first.kill()
  const next = start()
  await next.bring(one, 'all', never)
  expect(next.reads()).toBe(1)
})

test('it is noted when the kernel has stood still for a second, not before', async () => {
  const { kernel, start, written } = machine()
  const agent = start()
  await agent.bring(one, 'all', never)
  for (let n = 0; n < 5; n++) {
    // Another program, on a table of its own.
    kernel.meddle([], { what: 'something' })
    await agent.clock.advance(900)
  }
  expect(written).toEqual([])
  await agent.clock.advance(2_000)
  expect(written).toHaveLength(1)
  await agent.clock.advance(60_000)
  expect(written).toHaveLength(1)
  kernel.meddle([], { what: 'something' })
  await agent.clock.advance(2_000)
  expect(written.map(({ stamp }) => stamp)).toEqual(['in memory 7', 'in memory 8'])
})

test('what is distrusted is not noted, and what was noted goes', async () => {
  const { start, entry, written } = machine()
  const agent = start()
  await served(agent, one)
  agent.forget()
  expect(entry()).toBeUndefined()
  await rest(agent)
  expect(written).toHaveLength(1)
  await agent.bring(one, 'all', never)
  expect(agent.reads()).toBe(2)
  await rest(agent)
  expect([written.length, entry()]).toEqual([2, written[0]])
})

test('a process that distrusts before it knows anything recalls nothing', async () => {
  const { start } = machine()
  await served(start(), one)
  const next = start()
  next.forget()
  await next.bring(one, 'all', never)
  expect(next.reads()).toBe(1)
})

test('a doubt that comes while the stamp is asked for counts', async () => {
  const asked: (() => void)[] = []
  let isSlow = false
  const { start } = machine((kernel) => ({ stamp: async () => (isSlow && (await new Promise<void>((go) => asked.push(go))), kernel.stamp!()) }))
  const first = start()
  await served(first, one)
  await first.kill()
  isSlow = true
  const next = start()
  const bringing = next.bring(one, 'all', never)
  await settled()
  next.forget()
  for (const go of asked) go()
  await bringing
  expect([next.reads(), next.isKnown()]).toEqual([1, false])
})

test('where other hands are not noticed nothing is noted', async () => {
  const { start, written } = machine(() => ({ stamp: () => Promise.resolve(undefined) }))
  await served(start(), one)
  expect(written).toEqual([])
})

test('after the rules were removed nothing of them is noted', async () => {
  const { start, entry } = machine()
  const agent = start()
  await served(agent, one)
  await agent.remove(never)
  await rest(agent)
  expect(entry()).toBeUndefined()
})

test('reading begins early only where it will be needed', async () => {
  let begun = 0
  const { kernel, start } = machine(() => ({ prepare: () => void begun++ }))
  const first = start()
  first.prepare(never)
  await settled()
  expect(begun).toBe(1)
  await served(first, one)
  await first.kill()
  start().prepare(never)
  await settled()
  expect(begun).toBe(1)
  kernel.meddle([], { what: 'something' })
  start().prepare(never)
  await settled()
  expect(begun).toBe(2)
})

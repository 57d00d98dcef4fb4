import { afterEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import type { NodeView, ServiceKey, ServiceView } from '../../rules/model.ts'
import { adopt, nftMode, plan, trace } from '../../rules/nft/index.ts'
import type { Listing, Transaction } from '../../rules/nft/index.ts'
import { createFakeClock, settled } from '../../test/kit/clock.ts'
import { endpointView, nodeConfig, portView, serviceView } from '../../test/kit/views.ts'
import { createFaultyKernel } from '../kernel/fake/faulty.ts'
import { createFakeKernel } from '../kernel/fake/nft.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { createDataplane } from './dataplane.ts'
import { createSyncLoop, type Progress } from './loop.ts'

const vip = (n: number): string => `10.96.0.${n}`
const service = (n: number, ...endpoints: string[]): ServiceView =>
  serviceView({ key: `default/s${n}`, clusterIPs: [vip(n)], ports: [portView({ endpoints: endpoints.map((address) => endpointView(address)) })] })

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

type NftKernel = Kernel<Listing, Transaction>

function agent(kernel: NftKernel) {
  const clock = createFakeClock()
  const services = new Map<ServiceKey, ServiceView>()
  const view: NodeView = { config: nodeConfig, services }
  let revision = 0
  const progress: Progress[] = []
  const loop = createSyncLoop({
    dataplane: createDataplane('ip', nftMode, kernel),
    wish: () => ({ view, revision }),
    onProgress: (p) => progress.push(p),
    onApplied: () => {},
    log: silentLog,
    clock,
    random: () => 0.5,
  })
  const stop = new AbortController()
  const running = loop.run(stop.signal)
  ends.push(async () => {
    stop.abort()
    await running
  })
  const wake = (changed: 'all' | 'these', ...wished: ServiceView[]): void => {
    revision++
    for (const s of wished) services.set(s.key, s)
    loop.wake(changed === 'all' ? 'all' : new Set(wished.map((s) => s.key)))
  }
  return {
    clock,
    loop,
    progress,
    view,
    wake,
    async set(changed: 'all' | 'these', ...wished: ServiceView[]) {
      wake(changed, ...wished)
      await settled()
    },
    async remove(key: ServiceKey) {
      revision++
      services.delete(key)
      loop.wake(new Set([key]))
      await settled()
    },
  }
}

/** Where a connection from a pod to a virtual IP ends up. */
async function reaches(kernel: NftKernel, n: number): Promise<string> {
  const listing = (await kernel.read(AbortSignal.timeout(1000)))!
  const packet = { hook: 'prerouting', protocol: 'tcp', source: '10.244.1.9', sourcePort: 40000, destination: vip(n), destinationPort: 80 } as const
  return JSON.stringify(trace(listing, { addresses: [] }, packet, { random: () => 0 }).fate)
}

describe('the sync loop', () => {
  test('does nothing before it is woken, not even after an audit', async () => {
    const kernel = createFakeKernel({ family: 'ip' })
    const { loop, clock } = agent(kernel)
    loop.audit()
    await clock.advance(60_000)
    expect(kernel.accepted).toEqual([])
    expect(await kernel.read(AbortSignal.timeout(1000))).toBeUndefined()
  })

  test('what arrives in one read of a socket goes into one pass, frame by frame as it comes', async () => {
    const kernel = createFakeKernel({ family: 'ip' })
    const a = agent(kernel)
    await a.set('all', service(1, '10.244.1.2'))
    for (let n = 2; n <= 6; n++) {
      a.wake('these', service(n, '10.244.1.2'))
      // All that a frame set off comes before the next frame.
      for (let i = 0; i < 10; i++) await Promise.resolve()
    }
    await settled()
    expect(a.progress).toEqual([{ applied: 1 }, { applied: 6 }])
    expect(kernel.accepted).toHaveLength(2)
    expect(await reaches(kernel, 6)).toContain('10.244.1.2')
  })

  test('applies a change, remembers it, and tells the revision', async () => {
    const kernel = createFakeKernel({ family: 'ip' })
    const a = agent(kernel)
    await a.set('all', service(1, '10.244.1.2'))
    expect(await reaches(kernel, 1)).toContain('10.244.1.2')
    await a.set('these', service(1, '10.244.2.2'))
    expect(await reaches(kernel, 1)).toContain('10.244.2.2')
    await a.remove('default/s1')
    expect(await reaches(kernel, 1)).not.toContain('10.244.2.2')
    expect(a.progress).toEqual([{ applied: 1 }, { applied: 2 }, { applied: 3 }])
    expect(kernel.accepted).toHaveLength(3)
  })

  test('writes nothing where nothing is different', async () => {
    const kernel = createFakeKernel({ family: 'ip' })
    const a = agent(kernel)
    await a.set('all', service(1, '10.244.1.2'))
    await a.set('these', service(1, '10.244.1.2'))
    await a.set('all')
    expect(kernel.accepted).toHaveLength(1)
    expect(a.progress.at(-1)).toEqual({ applied: 3 })
  })

  test('what changes while a pass is under way is one more pass, however much it is', async () => {
    const kernel = createFakeKernel({ family: 'ip' })
    const gates: (() => void)[] = []
    const slow: NftKernel = {
      ...kernel,
      async apply(t, signal) {
        await new Promise<void>((open) => gates.push(open))
        await kernel.apply(t, signal)
      },
    }
    const a = agent(slow)
    await a.set('all', service(1, '10.244.1.2'))
    for (let i = 3; i <= 50; i++) await a.set('these', service(1, `10.244.1.${i}`), service(2, `10.244.2.${i}`))
    expect(gates).toHaveLength(1)
    gates.pop()!()
    await settled()
    expect(gates).toHaveLength(1)
    gates.pop()!()
    await settled()
    expect(kernel.accepted).toHaveLength(2)
    expect([await reaches(kernel, 1), await reaches(kernel, 2)]).toEqual([expect.stringContaining('10.244.1.50'), expect.stringContaining('10.244.2.50')])
    expect(a.progress).toEqual([{ applied: 1 }, { applied: 49 }])
  })

  test('an agent that starts anew over the same kernel writes nothing', async () => {
    const before = createFakeKernel({ family: 'ip' })
    await agent(before).set('all', service(1, '10.244.1.2'), service(2, '10.244.1.2', '10.244.2.2'))
    const held = (await before.read(AbortSignal.timeout(1000)))!
    const kernel = createFakeKernel({ family: 'ip', held })
    const again = agent(kernel)
    await again.set('all', service(1, '10.244.1.2'), service(2, '10.244.1.2', '10.244.2.2'))
    expect(kernel.accepted).toEqual([])
    expect(again.progress).toEqual([{ applied: 1 }])
    await again.set('these', service(1))
    expect(kernel.accepted, 'and goes on from what it read').toHaveLength(1)
  })

  test('an audit repairs what other hands changed, and only that', async () => {
    const kernel = createFakeKernel({ family: 'ip' })
    const a = agent(kernel)
    await a.set('all', service(1, '10.244.1.2'), service(2, '10.244.2.2'))
    await kernel.apply({ family: 'ip', operations: [{ kind: 'delete-elements', set: 'endpoints-1', keys: [`${vip(1)} . tcp . 80 . 0`] }] }, AbortSignal.timeout(1000))
    expect(await reaches(kernel, 1)).not.toContain('10.244.1.2')
    a.loop.audit()
    await settled()
    expect(await reaches(kernel, 1)).toContain('10.244.1.2')
    expect(kernel.accepted.at(-1)!.operations).toHaveLength(1)
  })

  test('an audit amid a pass takes nothing from it: the kernel is read again afterwards', async () => {
    const kernel = createFakeKernel({ family: 'ip' })
    const gates: (() => void)[] = []
    let reads = 0
    const slow: NftKernel = {
      ...kernel,
      read: (signal) => (reads++, kernel.read(signal)),
      async apply(t, signal) {
        await new Promise<void>((open) => gates.push(open))
        await kernel.apply(t, signal)
      },
    }
    const a = agent(slow)
    await a.set('all', service(1, '10.244.1.2'))
    a.loop.audit()
    gates.pop()!()
    await settled()
    expect(a.progress).toEqual([{ applied: 1 }, { applied: 1 }])
    expect([reads, gates.length, kernel.accepted.length]).toEqual([2, 0, 1])
  })

  test('after a refusal it tells why, waits, reads the kernel back and tries again', async () => {
    const kernel = createFakeKernel({ family: 'ip' })
    let failing = true
    const stubborn: NftKernel = {
      ...kernel,
      apply: (t, signal) => (failing ? Promise.reject(Object.assign(new Error('no'), { code: 'KERNEL_REFUSED' })) : kernel.apply(t, signal)),
    }
    const a = agent(stubborn)
    await a.set('all', service(1, '10.244.1.2'))
    expect(a.progress).toEqual([{ applied: 0, failed: { code: 'KERNEL_REFUSED', message: 'no' }, pass: 'full' }])
    await a.set('these', service(2, '10.244.2.2'))
    failing = false
    await a.clock.advance(10_000)
    expect(await reaches(kernel, 1)).toContain('10.244.1.2')
    expect(await reaches(kernel, 2)).toContain('10.244.2.2')
    expect(a.progress.at(-1)).toEqual({ applied: 2 })
    failing = true
    await a.set('these', service(2, '10.244.2.3'))
    expect(a.progress.at(-1)).toMatchObject({ applied: 2, pass: 'partial' })
  })

  test.each(['before', 'after'] as const)('comes to the right kernel though every third transaction fails (%s it took effect)', async (when) => {
    const kernel = createFakeKernel({ family: 'ip' })
    let n = 0
    const a = agent(createFaultyKernel(kernel, { share: 0.3, when, random: () => (n = (n * 16807 + 11) % 2147483647) / 2147483647 }))
    await a.set('all')
    for (let i = 1; i <= 60; i++) {
      const target = 1 + (i % 7)
      if (i % 5 === 0) await a.remove(`default/s${target}`)
      else await a.set('these', service(target, ...Array.from({ length: i % 4 }, (_, e) => `10.244.1.${1 + e + i}`)))
      await a.clock.advance(i % 3 === 0 ? 6_000 : 0)
    }
    await a.clock.advance(60_000)
    const listing = await kernel.read(AbortSignal.timeout(1000))
    const left = plan(adopt('ip', listing), a.view, 'all')
    expect(left.transaction?.operations ?? []).toEqual([])
    expect(a.progress.at(-1)!.failed).toBeUndefined()
  })
})

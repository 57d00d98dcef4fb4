import { describe, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import { createFakeClock, type FakeClock, settled } from '../../test/kit/clock.ts'
import type { ChildSpec } from './children.ts'
import { type Farewell, nextDelay, type Running, supervise, type SupervisorDeps } from './supervisor.ts'

const child = (name: string, kind: ChildSpec['kind'] = 'agent', needs: readonly string[] = []): ChildSpec => ({
  name,
  kind,
  argv: [name],
  log: '/log',
  cgroup: '/g',
  needs,
  listens: false,
  graceMs: 1_000,
})

/** A ward in memory: children that live until a test ends them, at times that the fake clock says. */
function createWard(clock: FakeClock, found: readonly string[] = []) {
  const files = new Set<string>()
  const started: { name: string; at: number; finish: (how: string) => void }[] = []
  const ended: string[] = []
  let launchFails = false
  const begin = clock.now()
  const live = (name: string): Running => {
    const { promise, resolve } = Promise.withResolvers<string>()
    started.push({ name, at: clock.now() - begin, finish: resolve })
    return { identity: { pid: started.length, startTicks: 1, boot: 'b' }, ended: promise }
  }
  const deps: SupervisorDeps = {
    clock,
    log: silentLog,
    launch: async (spec) => {
      if (launchFails) throw new TypeError('no')
      return live(spec.name)
    },
    adopt: (spec) => (found.includes(spec.name) ? live(`found ${spec.name}`) : undefined),
    exists: (file) => files.has(file),
    end: async (spec) => void ended.push(spec.name),
  }
  return {
    deps,
    files,
    started,
    ended,
    names: () => started.map((s) => s.name),
    failLaunches: (fail: boolean) => void (launchFails = fail),
  }
}

async function withSupervisor(
  children: readonly ChildSpec[],
  ward: ReturnType<typeof createWard>,
  how: Farewell,
  act: () => Promise<void>,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<Farewell>()
  const running = supervise(children, ward.deps, promise)
  await settled()
  await act()
  resolve(how)
  await running
}

describe('how long until the next start', () => {
  test('100 ms, doubling to 5 s, and from the start again after a sound life', () => {
    let delay: number | undefined
    const delays = Array.from({ length: 8 }, () => (delay = nextDelay(delay, 0)))
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
    expect(nextDelay(5_000, 10_000)).toBe(100)
    expect(nextDelay(5_000, 9_999)).toBe(5_000)
  })
})

describe('the supervisor', () => {
  test('starts a child again whenever it ends, later each time', async () => {
    const clock = createFakeClock()
    const ward = createWard(clock)
    await withSupervisor([child('a')], ward, 'leave-children', async () => {
      for (let i = 0; i < 3; i++) {
        ward.started.at(-1)!.finish('exit code 1')
        await clock.advance(5_000)
      }
    })
    expect(ward.started.map((s) => s.at)).toEqual([0, 100, 5_200, 10_400])
  })

  test('a child that cannot even be started is tried again', async () => {
    const clock = createFakeClock()
    const ward = createWard(clock)
    ward.failLaunches(true)
    await withSupervisor([child('a')], ward, 'leave-children', async () => {
      await clock.advance(250)
      ward.failLaunches(false)
      await clock.advance(1_000)
    })
    expect(ward.names()).toEqual(['a'])
  })

  test('waits for the files that a child needs', async () => {
    const clock = createFakeClock()
    const ward = createWard(clock)
    await withSupervisor([child('a', 'agent', ['/credentials', '/socket'])], ward, 'leave-children', async () => {
      ward.files.add('/credentials')
      await clock.advance(10_000)
      expect(ward.names()).toEqual([])
      ward.files.add('/socket')
      await clock.advance(100)
      expect(ward.names()).toEqual(['a'])
    })
  })

  test('knows living children again, and starts only what is missing', async () => {
    const clock = createFakeClock()
    const ward = createWard(clock, ['hub'])
    await withSupervisor([child('hub', 'hub'), child('a')], ward, 'leave-children', async () => {
      expect(ward.names().toSorted()).toEqual(['a', 'found hub'])
      ward.started.find((s) => s.name === 'found hub')!.finish('gone')
      await clock.advance(100)
      expect(ward.names()).toContain('hub')
    })
  })

  test('ends agents before containerds before the hub', async () => {
    const clock = createFakeClock()
    const ward = createWard(clock)
    const children = [child('hub', 'hub'), child('c1', 'containerd'), child('a1'), child('a2')]
    await withSupervisor(children, ward, 'end-children', async () => {})
    expect(ward.ended.slice(0, 2).toSorted()).toEqual(['a1', 'a2'])
    expect(ward.ended.slice(2)).toEqual(['c1', 'hub'])
  })

  test('leaves them running when it is asked to, and starts none that ends then', async () => {
    const clock = createFakeClock()
    const ward = createWard(clock)
    await withSupervisor([child('a')], ward, 'leave-children', async () => {})
    ward.started[0]!.finish('exit code 1')
    await clock.advance(10_000)
    expect([ward.ended, ward.names()]).toEqual([[], ['a']])
  })

  test('can be asked to end while a child waits for its files or its next start', async () => {
    const clock = createFakeClock()
    const ward = createWard(clock)
    await withSupervisor([child('a', 'agent', ['/never']), child('b')], ward, 'end-children', async () => {
      ward.started[0]!.finish('exit code 1')
      await settled()
    })
    expect(ward.ended).toEqual([])
    expect(clock.waiting).toBe(0)
  })
})

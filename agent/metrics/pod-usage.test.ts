import { expect, test } from 'vitest'
import { createPodUsage } from './pod-usage.ts'

/** Cgroups v2 in memory: CPU in microseconds and memory by path. */
function cgroups() {
  const used = new Map<string, readonly [number, number]>()
  let now = 1_000
  const readFile = (path: string): Promise<string> => {
    if (path === '/cg/cgroup.controllers') return Promise.resolve('cpu memory\n')
    const [, cgroup, file] = /^\/cg(\/.+)\/([^/]+)$/.exec(path)!
    const [cpu, memory] = used.get(cgroup!) ?? []
    if (cpu === undefined) return Promise.reject(new Error(`no ${path}`))
    const texts: Record<string, string> = { 'cpu.stat': `usage_usec ${cpu}\n`, 'memory.current': `${memory}\n`, 'memory.stat': 'inactive_file 10\n' }
    return Promise.resolve(texts[file!]!)
  }
  const sampler = createPodUsage({ mount: '/cg', readFile, now: () => now })
  return { used, sampler, pass: (ms: number) => void (now += ms) }
}

const pod = (key: string, ...names: string[]) => ({ key, containers: names.map((name) => ({ name, cgroup: `/${key}/${name}` })) })

test('a container is measured from the second look on, the average since the first', async () => {
  const { used, sampler, pass } = cgroups()
  used.set('/a/one/web', [1_000_000, 110])
  expect(await sampler.sample([pod('a/one', 'web')])).toBeUndefined()
  pass(10_000)
  used.set('/a/one/web', [3_500_000, 210])
  expect(await sampler.sample([pod('a/one', 'web')])).toEqual({
    kind: 'podUsage',
    windowMs: 10_000,
    pods: [{ key: 'a/one', containers: [{ name: 'web', cpuMillis: 250, memoryBytes: 200 }] }],
  })
})

test('a pod is told of when all of its containers are known, and not when one is gone', async () => {
  const { used, sampler, pass } = cgroups()
  used.set('/a/one/web', [0, 10]).set('/a/two/web', [0, 10])
  await sampler.sample([pod('a/one', 'web'), pod('a/two', 'web')])
  pass(1_000)
  used.set('/a/two/side', [0, 10])
  const both = [pod('a/one', 'web'), pod('a/two', 'web', 'side')]
  expect((await sampler.sample(both))?.pods.map((p) => p.key)).toEqual(['a/one'])
  pass(1_000)
  used.delete('/a/one/web')
  expect((await sampler.sample(both))?.pods.map((p) => p.key)).toEqual(['a/two'])
})

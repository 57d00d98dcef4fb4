/** Session affinity: section 8 of the catalogue. Only packets make a memory, so all of it takes a kernel. */
import { service, slice } from '../objects.ts'
import { onKernel, type Backend, type Behaviour } from '../stage.ts'
import { all, externals, setEndpoints, web, webService } from './fronts.ts'

const affinity = (timeoutSeconds: number) => ({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds } } })
/** Enough that all of them choose one of four by chance once in a hundred billion times. */
const crowd = Array.from({ length: 20 }, (_, n) => n + 1)
const each = (name: Backend, clients: readonly number[] = crowd): readonly Backend[] => clients.map(() => name)

export const affinityBehaviours: readonly Behaviour[] = [
  onKernel('S1', 'a client stays with the endpoint that it got; others choose for themselves', async (s) => {
    const { vip } = await web(s, all, affinity(100))
    const first = await s.who({ to: vip, port: 80 }, crowd)
    for (const _ of [1, 2, 3]) s.same(await s.who({ to: vip, port: 80 }, crowd), first)
    s.same(new Set(first).size > 1, true)
  }),
  onKernel('S1', 'on every front of the service port, known by the address that it came with', async (s) => {
    const fronts = await web(s, ['b1'], affinity(100))
    s.same(await s.who({ to: fronts.vip, port: 80 }, crowd), each('b1'))
    await setEndpoints(s, ...all)
    for (const to of externals(fronts)) s.same(await s.who({ to, port: 80 }, crowd), each('b1'))
    s.same(await s.who({ to: s.at.places.node, port: fronts.nodePort }, crowd), each('b1'))
  }, { except: { ipvs: 'a client is remembered for each virtual address' } }),
  onKernel('S1', 'not across ports of a service', async (s) => {
    const to = s.at.vip()
    const endpoints = (port: string, backends: readonly Backend[]) => slice(s.at, 'web', backends, { name: `web-${port}`, ports: [{ name: port, port: 8080, protocol: 'TCP' }] })
    await s.apply(service('web', to, { ports: [{ name: 'a', port: 80 }, { name: 'b', port: 81 }], spec: affinity(100) }), endpoints('a', ['b1']), endpoints('b', ['b3']))
    s.same([await s.who({ to, port: 80 }, crowd), await s.who({ to, port: 81 }, crowd)], [each('b1'), each('b3')])
    await s.apply(endpoints('a', all), endpoints('b', all))
    s.same([await s.who({ to, port: 80 }, crowd), await s.who({ to, port: 81 }, crowd)], [each('b1'), each('b3')])
  }),
  onKernel('S2', 'who was away for the timeout chooses again; who came meanwhile is remembered anew', async (s) => {
    const { vip } = await web(s, ['b1'], affinity(2))
    const to = { to: vip, port: 80 }
    const started = performance.now()
    const [faithful, idle] = [crowd.slice(0, 3), Array.from({ length: 90 }, (_, n) => n + 30)]
    s.same(await s.who(to, [...faithful, ...idle]), each('b1', [...faithful, ...idle]))
    const learned = performance.now()
    await setEndpoints(s, ...all)
    let gap = 0
    for (let [next, last] = [0, learned]; next < idle.length; next += 4) {
      const now = performance.now()
      gap = Math.max(gap, now - last)
      last = now
      s.same(await s.who(to, faithful), each('b1', faithful))
      const found = await s.who(to, idle.slice(next, next + 4))
      if (found.some((name) => name !== 'b1')) {
        // Kernels count in seconds or better.
        s.same(performance.now() - started > 1_000, true)
        return
      }
      await s.rest(200)
      // A machine that stood still for so long cannot tell who came meanwhile.
      if (gap > 1_500) return
    }
    s.same('all who were away for six seconds are remembered', 'some of them chose again')
  }, { except: { ipvs: 'a client is remembered at least until IPVS has forgotten its connections, too: ten seconds after a reset, two minutes after a close' } }),
  onKernel('S3', 'affinity yields: nobody is bound to an endpoint that may not be chosen', async (s) => {
    const fronts = await web(s, ['b1'], affinity(100))
    s.same(await s.who({ to: fronts.vip, port: 80 }, crowd), each('b1'))
    await setEndpoints(s, 'b1 unready', 'b3')
    s.same(await s.who({ to: fronts.vip, port: 80 }, crowd), each('b3'))
    await setEndpoints(s, 'b2', 'b3')
    s.same(await s.who({ to: fronts.vip, port: 80 }, crowd), each('b3'))
    await s.apply(webService(fronts, { ...affinity(100), internalTrafficPolicy: 'Local' }))
    s.same(await s.who({ to: fronts.vip, port: 80 }, crowd), each('b2'))
  }),
  onKernel('S4', 'when its endpoint goes a client moves, and does not move back', async (s) => {
    const { vip } = await web(s, ['b1'], affinity(100))
    const to = { to: vip, port: 80 }
    s.same(await s.who(to, crowd), each('b1'))
    await setEndpoints(s, 'b2')
    s.same(await s.who(to, crowd), each('b2'))
    await setEndpoints(s, 'b1', 'b2')
    s.same(await s.who(to, crowd), each('b2'))
  }),
  onKernel('S5', 'new endpoints, ports and addresses move nobody', async (s) => {
    const fronts = await web(s, ['b1'], affinity(100))
    const to = { to: fronts.vip, port: 80 }
    s.same(await s.who(to, crowd), each('b1'))
    await setEndpoints(s, ...all)
    s.same(await s.who(to, crowd), each('b1'))
    await s.apply(webService({ ...fronts, external: s.at.externalIP(), nodePort: s.at.nodePort() }, { ...affinity(200), externalTrafficPolicy: 'Local' }))
    s.same(await s.who(to, crowd), each('b1'))
  }),
  onKernel('S6', 'affinity is switched on and off, and no open connection minds', async (s) => {
    const fronts = await web(s, ['b1'])
    const connection = await s.open({ from: 'outside', to: fronts.vip, port: 80 })
    await s.apply(webService(fronts, affinity(100)))
    s.same(await s.who({ to: fronts.vip, port: 80 }, crowd), each('b1'))
    await setEndpoints(s, ...all)
    s.same(await s.who({ to: fronts.vip, port: 80 }, crowd), each('b1'))
    await s.apply(webService(fronts))
    s.same(new Set(await s.who({ to: fronts.vip, port: 80 }, crowd)).size > 1, true)
    s.same(await connection.ask(), 'b1')
  }),
  onKernel('S7', 'many clients are remembered', async (s) => {
    const { vip } = await web(s, ['b1'], affinity(100))
    const many = Array.from({ length: 250 }, (_, n) => n + 1)
    s.same(await s.who({ to: vip, port: 80 }, many), each('b1', many))
    await setEndpoints(s, ...all)
    s.same(await s.who({ to: vip, port: 80 }, many), each('b1', many))
  }, { except: { iptables: 'xt_recent remembers 100 clients of an endpoint, unless its module is told otherwise' } }),
]

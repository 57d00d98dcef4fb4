/** The pod half of the agent: what the hub wishes on this node, and what the node tells of itself. */
import { aborted, sleep, type Clock } from '../api/clock.ts'
import type { NodeReport } from '../api/frames.ts'
import { errorKeys, type Log } from '../api/log.ts'
import type { NodeStatus } from '../api/objects.ts'
import { version } from '../api/version.ts'
import { nodeLabels, nodeStatus, type NodeStatusInput, type Pressures } from './metrics/node-status.ts'
import type { NodeFacts } from './metrics/node-facts.ts'
import type { PodUsageSampler } from './metrics/pod-usage.ts'
import type { UsageSampler } from './metrics/usage.ts'
import type { Egress } from './net/egress.ts'
import type { Routes } from './net/routes.ts'
import type { Pods } from './pods/pods.ts'
import type { Runtime } from './pods/runtime/runtime.ts'
import type { Batch, Tables } from './state/tables.ts'

export interface NodeDeps {
  readonly node: string
  /** The node's own address. */
  readonly address: string
  readonly serviceCIDR: string
  readonly clusterCIDRs: readonly string[]
  readonly tables: Tables
  readonly pods: Pods
  readonly runtime: Runtime
  readonly routes: Routes
  readonly egress: Egress
  readonly usage: UsageSampler
  readonly podUsage: PodUsageSampler
  readonly facts: NodeFacts
  readonly pressures: () => Pressures
  readonly report: (report: NodeReport) => void
  readonly clock: Clock
  readonly log: Log
}

export interface NodeHalf {
  /** Takes what a `sync` of the hub completed. */
  take(batch: Batch): void
  /** Reports until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

/** How often a node says that it is alive; the hub waits four times as long. */
const leaseMs = 10_000
const usageMs = 3_000
const podUsageMs = 10_000
const firstUsageMs = 200
/** The status is told when it changed, and this often in any case, as the kubelet does. */
const statusMs = 5 * 60_000
const routesMs = 60_000

export function createNode(deps: NodeDeps): NodeHalf {
  const { tables, pods, routes, log, clock } = deps
  let stop: AbortSignal | undefined
  let routesWanted = false
  let routing: Promise<void> | undefined

  const syncRoutes = async (signal: AbortSignal): Promise<void> => {
    while (routesWanted && !signal.aborted) {
      routesWanted = false
      const nodes = [...tables.all('nodes').values()]
      try {
        const failures = await routes.sync({ self: deps.node, addresses: [deps.address], nodes, serviceCIDRs: [deps.serviceCIDR] }, signal)
        for (const { route, message } of failures) log.warn('a route could not be set', { ...route, message })
      } catch (e) {
        if (!signal.aborted) log.warn('routes could not be looked at', errorKeys(e))
      }
      await deps.egress.sync({ clusterCIDRs: deps.clusterCIDRs, nodes }, signal).catch((e: unknown) => {
        if (!signal.aborted) log.warn('the way of pods to what is outside of the cluster could not be set', errorKeys(e))
      })
    }
    routing = undefined
  }
  const wakeRoutes = (): void => {
    routesWanted = true
    if (stop && !stop.aborted && tables.revision() !== undefined) routing ??= syncRoutes(stop)
  }

  const every = (ms: number, signal: AbortSignal, work: () => void | Promise<void>): void => {
    if (signal.aborted) return
    const again = (): void => {
      const cancel = clock.after(ms, () => every(ms, signal, work))
      signal.addEventListener('abort', cancel, { once: true })
    }
    Promise.resolve(work()).then(again, (e: unknown) => {
      if (signal.aborted) return
      log.warn('a report could not be made', errorKeys(e))
      again()
    })
  }

  const teller = createStatusTeller(deps)
  const synced = Promise.withResolvers<void>()
  return {
    take(batch) {
      if (batch.first) synced.resolve()
      const touched = new Set(batch.changes.map((c) => c.resource))
      if (batch.first || touched.has('nodes')) {
        const ranges = tables.get('nodes', deps.node)?.spec?.podCIDRs ?? []
        if (ranges.length > 0) pods.setRanges(ranges)
        wakeRoutes()
      }
      if (batch.changes.some((c) => c.resource === 'nodes' && c.key === deps.node && !c.after)) teller.forget()
      if (batch.first || touched.has('pods')) pods.setPods([...tables.all('pods').values()])
    },
    async run(signal) {
      stop = signal
      // Before the first sync nobody listens.
      await Promise.race([synced.promise, aborted(signal)])
      const measure = async (): Promise<void> => {
        const usage = await deps.usage.sample()
        if (usage) deps.report({ kind: 'usage', usage })
      }
      // The first measurement needs two looks. It is made before the node is ready, so that no pod is placed without it.
      await measure()
      await sleep(clock, firstUsageMs, signal).catch(() => {})
      every(usageMs, signal, measure)
      every(podUsageMs, signal, async () => {
        const report = await deps.podUsage.sample(pods.running())
        if (report) deps.report(report)
      })
      every(leaseMs, signal, async () => {
        await teller.tell(signal)
        deps.report({ kind: 'lease' })
      })
      every(routesMs, signal, wakeRoutes)
      await aborted(signal)
      await routing
      await pods.close()
    },
  }
}

interface StatusTeller {
  tell(signal: AbortSignal): Promise<void>
  /** What was told is gone: somebody deleted the Node while its agent lives on. */
  forget(): void
}

/** Tells the node's status when something in it changed, heartbeats aside. */
function createStatusTeller(deps: NodeDeps): StatusTeller {
  const { clock } = deps
  let before: NodeStatus | undefined
  let told = ''
  let toldAt = 0
  const tell = async (signal: AbortSignal): Promise<void> => {
    const runtime = await deps.runtime.version(signal).then(
      (text) => ({ text, ready: { status: true, reason: 'KubeletReady', message: 'the agent runs pods' } }),
      (e: unknown) => ({ text: 'containerd://unknown', ready: { status: false, reason: 'RuntimeNotReady', message: e instanceof Error ? e.message : String(e) } }),
    )
    if (signal.aborted) return
    const input: NodeStatusInput = {
      name: deps.node,
      addresses: [deps.address],
      facts: deps.facts,
      pressures: deps.pressures(),
      ready: runtime.ready,
      runtimeVersion: runtime.text,
      version,
      now: clock.now(),
      ...(before && { before }),
    }
    const status = nodeStatus(input)
    const text = JSON.stringify({ ...status, conditions: status.conditions?.map((c) => ({ ...c, lastHeartbeatTime: undefined })) })
    if (text === told && clock.now() - toldAt < statusMs) return
    before = status
    told = text
    toldAt = clock.now()
    deps.report({ kind: 'node', labels: nodeLabels(deps.node, deps.facts), status })
  }
  return { tell, forget: () => void (told = '') }
}

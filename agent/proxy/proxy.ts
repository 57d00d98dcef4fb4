/** The proxy at work: the Kubernetes API to rules in the kernel, with its health and its figures beside it. */
import { aborted, type Clock } from '../../api/clock.ts'
import type { AckFrame, SyncFrame } from '../../api/frames.ts'
import type { Log } from '../../api/log.ts'
import type { Family, NodeConfig, Problem } from '../../rules/model.ts'
import type { HealthCheck, HealthServers } from '../health/service-health.ts'
import type { ProxyHealth } from '../health/proxy-health.ts'
import type { Tidying } from '../memory.ts'
import type { ProxyMetrics } from '../metrics/proxy-metrics.ts'
import type { Services } from '../services.ts'
import { createTables } from '../state/tables.ts'
import type { EventRecorder } from './events.ts'
import type { ApiClient } from './kube/client.ts'
import type { ReflectorBounds } from './kube/reflector.ts'
import { createSource, type SourceFrame } from './kube/source.ts'
import type { ServedMode, ServiceTold } from './mode.ts'
import type { NodeFacts, OwnNode } from './own-node.ts'

export interface ProxyDeps {
  /** The name of this node. */
  readonly node: string
  readonly client: ApiClient
  readonly mode: Pick<ServedMode, 'families' | 'serve'>
  readonly ownNode: OwnNode
  /** What the rules of a family are made with. */
  readonly configOf: (facts: NodeFacts, family: Family) => NodeConfig
  readonly health: ProxyHealth
  readonly healthServers: HealthServers
  readonly metrics: ProxyMetrics
  readonly events: EventRecorder
  /** Called once, when the kernel has taken everything for the first time. */
  readonly onServed: () => void
  /** Gives back what passes leave behind. */
  readonly tidying: Tidying
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly bounds?: ReflectorBounds
}

export interface Proxy {
  /** Runs until the signal aborts; the rules stay. Rejects with what keeps it from going on: RESTART_NEEDED, SETUP. */
  run(signal: AbortSignal): Promise<void>
}

export function createProxy(deps: ProxyDeps): Proxy {
  const { log, ownNode, health, mode } = deps
  const tables = createTables()
  const synced = Promise.withResolvers<void>()
  /** Rejected by a fault of ours, which is none of the API's: it ends the proxy, and the next one begins anew. */
  const broken = Promise.withResolvers<never>()
  let services: Services | undefined
  /** The last `sync` that came before the services could be served. */
  let early: SyncFrame | undefined

  const deliver = (frame: SyncFrame, to: Services): void => {
    try {
      const batch = tables.take(frame)
      if (batch) to.take(batch)
    } catch (e) {
      broken.reject(e)
    }
  }
  const onFrame = (frame: SourceFrame): void => {
    if (frame.kind === 'sync') {
      if (services) return deliver(frame, services)
      early = frame
      return synced.resolve()
    }
    tables.take(frame)
    if (frame.resource !== 'nodes') return
    const own = tables.get('nodes', deps.node)
    ownNode.take(own)
    health.node(own)
  }
  const source = createSource({ ...deps, onFrame })

  const serve = async (signal: AbortSignal): Promise<void> => {
    await Promise.race([synced.promise, aborted(signal)])
    if (signal.aborted) return
    const facts = await ownNode.facts((changed) => {
      log.info('the addresses of this node changed', { ...changed })
      for (const family of mode.families) services?.configure(family, deps.configOf(changed, family))
    }, signal)
    const started = mode.serve({ tables, ...toldBy(deps) }, facts)
    services = started
    log.info('the API was listed; services are served', { ...facts, revision: early!.revision })
    deliver(early!, started)
    await started.run(signal)
  }

  return {
    async run(signal) {
      const stop = new AbortController()
      const either = AbortSignal.any([signal, stop.signal])
      try {
        await allUntil(either, stop, [source.run(either), serve(either), Promise.race([ownNode.outdated, broken.promise, aborted(either)])])
      } finally {
        stop.abort()
        await deps.healthServers.close()
      }
    },
  }
}

/** Waits for all of them; the first that fails stops the others, and is told. */
async function allUntil(signal: AbortSignal, stop: AbortController, work: readonly Promise<void>[]): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  await Promise.all(
    work.map((one) =>
      one.catch((error: unknown) => {
        if (!signal.aborted) failure = { error }
        stop.abort()
      }),
    ),
  )
  if (failure) throw failure.error
}

/** What the services tell, as figures, health and events. */
function toldBy({ node, mode, health, healthServers, metrics, events, onServed, tidying, clock }: ProxyDeps): Omit<ServiceTold, 'tables'> {
  const since = clock.now()
  let queued = 0
  let applied = 0
  let checks: readonly HealthCheck[] | undefined
  const each = (tell: (family: Family) => void): void => mode.families.forEach(tell)
  return {
    onQueued({ revision, changes }) {
      const count = (resource: string): number => changes.filter((c) => c.resource === resource).length
      metrics.onQueued({ services: count('services'), endpoints: count('endpointslices.discovery.k8s.io') })
      queued = revision
      each((family) => health.queued(family))
    },
    onPass({ ms, changed, plan }, triggers) {
      tidying.worked(plan)
      metrics.onPass({ ms, full: changed === 'all', triggers: triggers.filter((at) => at > since) })
      // Load balancers are told of this node when it is ready for them.
      if (checks) healthServers.take(checks)
      checks = undefined
    },
    onAck(ack: AckFrame) {
      // A family that is behind holds the others back here, so what is applied is applied everywhere.
      if (ack.failed || ack.applied <= applied) return
      if (applied === 0) onServed()
      applied = ack.applied
      each((family) => health.updated(family))
      if (queued > applied) each((family) => health.queued(family))
    },
    onFailure: (pass) => metrics.onFailure(pass),
    onHealthChecks: (wanted) => void (checks = wanted),
    onUnserved: (unserved) => metrics.setNoLocalEndpoints(unserved),
    onFlowsDeleted: (count) => metrics.onConntrackDeleted(count),
    onProblem: (problem) => events.tell({ type: 'Warning', reason: 'NotServed', action: 'Serve', note: `${problem.what}: ${problem.value}`, about: aboutOf(problem, node) }),
  }
}

function aboutOf({ service }: Problem, node: string): Parameters<EventRecorder['tell']>[0]['about'] {
  if (service === undefined) return { apiVersion: 'v1', kind: 'Node', name: node }
  const [namespace, name = ''] = service.split('/')
  return { apiVersion: 'v1', kind: 'Service', namespace, name }
}

/** What kube-apiserver fills into pods and pod templates (core/v1 PodSpec, Container, Probe, Volume). */
import type { Container, PodSpec, PodStatus } from '../../../api/objects.ts'
import { parseQuantity } from '../../../api/quantity.ts'
import { each, fill } from './fill.ts'

type Probe = NonNullable<Container['livenessProbe']>
type Resources = NonNullable<Container['resources']>
type Volume = NonNullable<PodSpec['volumes']>[number]
type EnvVar = NonNullable<Container['env']>[number]
type Lifecycle = NonNullable<Container['lifecycle']>

/** Readable by everybody, writable by the owner: 0644. */
const volumeMode = 420

/** The spec of a pod. */
export function podDefaults(spec: PodSpec): PodSpec {
  const filled = podTemplateDefaults(spec)
  const resources = (c: Container): Container => (c.resources ? { ...c, resources: requestsFromLimits(c.resources) } : c)
  return fill(
    {
      ...filled,
      containers: filled.containers.map(resources),
      ...(filled.initContainers && { initContainers: filled.initContainers.map(resources) }),
    },
    { enableServiceLinks: true },
  )
}

/** The spec in a pod template: what holds of one pod alone is left open. */
export function podTemplateDefaults(spec: PodSpec): PodSpec {
  const container = (c: Container): Container => containerDefaults(c, spec.hostNetwork === true)
  return fill(
    {
      ...spec,
      containers: spec.containers.map(container),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(container) }),
      ...(spec.volumes && { volumes: spec.volumes.map(volumeDefaults) }),
    },
    {
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      terminationGracePeriodSeconds: 30,
      securityContext: {},
      ...(spec.serviceAccountName && { serviceAccount: spec.serviceAccountName }),
      ...(spec.serviceAccount && { serviceAccountName: spec.serviceAccount }),
    },
  )
}

function containerDefaults(container: Container, hostNetwork: boolean): Container {
  const { ports, env, resources, livenessProbe, readinessProbe, startupProbe, lifecycle } = container
  return fill(
    {
      ...container,
      ...(ports && {
        ports: ports.map((p) => fill(p, { protocol: 'TCP', ...(hostNetwork && { hostPort: p.containerPort }) })),
      }),
      ...(env && { env: env.map(envDefaults) }),
      ...(resources && { resources: quantitiesAsText(resources) }),
      ...(livenessProbe && { livenessProbe: probeDefaults(livenessProbe) }),
      ...(readinessProbe && { readinessProbe: probeDefaults(readinessProbe) }),
      ...(startupProbe && { startupProbe: probeDefaults(startupProbe) }),
      ...(lifecycle && { lifecycle: lifecycleDefaults(lifecycle) }),
    },
    {
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      imagePullPolicy: pullPolicy(container.image ?? ''),
      resources: {},
    },
  )
}

/** `latest`, said or meant, may be something else tomorrow; every other tag and every digest is taken to stay. */
function pullPolicy(image: string): 'Always' | 'IfNotPresent' {
  if (image.includes('@')) return 'IfNotPresent'
  const name = image.slice(image.lastIndexOf('/') + 1)
  const tag = name.includes(':') ? name.slice(name.indexOf(':') + 1) : 'latest'
  return tag === 'latest' ? 'Always' : 'IfNotPresent'
}

function envDefaults(env: EnvVar): EnvVar {
  const ref = env.valueFrom?.fieldRef
  return ref ? { ...env, valueFrom: { ...env.valueFrom, fieldRef: fill(ref, { apiVersion: 'v1' }) } } : env
}

function probeDefaults(probe: Probe): Probe {
  const { httpGet, grpc } = probe
  return fill(
    {
      ...probe,
      ...(httpGet && { httpGet: fill(httpGet, { path: '/', scheme: 'HTTP' }) }),
      ...(grpc && { grpc: fill(grpc, { service: '' }) }),
    },
    { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 },
  )
}

function lifecycleDefaults(lifecycle: Lifecycle): Lifecycle {
  const handler = <H extends NonNullable<Lifecycle['preStop']>>(h: H): H =>
    h.httpGet ? { ...h, httpGet: fill(h.httpGet, { path: '/', scheme: 'HTTP' }) } : h
  const { postStart, preStop } = lifecycle
  return { ...lifecycle, ...(postStart && { postStart: handler(postStart) }), ...(preStop && { preStop: handler(preStop) }) }
}

type Amounts = Readonly<Record<string, string | number>>

/** Quantities are texts when they are read back, however they were written. */
export function amountsAsText<T extends Amounts>(amounts: T): T {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, String(amount)])) as T
}

function quantitiesAsText(resources: Resources): Resources {
  const { limits, requests } = resources
  return {
    ...resources,
    ...(limits && { limits: amountsAsText(limits) }),
    ...(requests && { requests: amountsAsText(requests) }),
  }
}

/** What is limited and not requested is requested up to the limit. */
function requestsFromLimits(resources: Resources): Resources {
  return resources.limits ? { ...resources, requests: { ...resources.limits, ...resources.requests } } : resources
}

type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number]
type Projection = NonNullable<NonNullable<Volume['projected']>['sources']>[number]

const itemDefaults = (item: DownwardItem): DownwardItem =>
  item.fieldRef ? { ...item, fieldRef: fill(item.fieldRef, { apiVersion: 'v1' }) } : item

function projectionDefaults(source: Projection): Projection {
  const { serviceAccountToken, downwardAPI } = source
  const items = each(downwardAPI?.items, itemDefaults)
  return {
    ...source,
    ...(serviceAccountToken && { serviceAccountToken: fill(serviceAccountToken, { expirationSeconds: 3600 }) }),
    ...(items && { downwardAPI: { ...downwardAPI, items } }),
  }
}

function volumeDefaults(volume: Volume): Volume {
  const { secret, configMap, downwardAPI, projected, hostPath } = volume
  if (secret) return { ...volume, secret: fill(secret, { defaultMode: volumeMode }) }
  if (configMap) return { ...volume, configMap: fill(configMap, { defaultMode: volumeMode }) }
  if (downwardAPI) {
    const items = each(downwardAPI.items, itemDefaults)
    return { ...volume, downwardAPI: fill({ ...downwardAPI, ...(items && { items }) }, { defaultMode: volumeMode }) }
  }
  if (projected) {
    const sources = each(projected.sources, projectionDefaults)
    return { ...volume, projected: fill({ ...projected, ...(sources && { sources }) }, { defaultMode: volumeMode }) }
  }
  if (hostPath) return { ...volume, hostPath: fill(hostPath, { type: '' as never }) }
  return Object.keys(volume).length === 1 ? { ...volume, emptyDir: {} } : volume
}

/**
 * The quality of service class (PodStatus `qosClass`): Guaranteed where every container limits cpu and memory and requests
 * just that, BestEffort where none asks for either, else Burstable.
 */
export function qosClass(spec: PodSpec): NonNullable<PodStatus['qosClass']> {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])]
  const asked = (from: Amounts | undefined, name: string): bigint =>
    from?.[name] === undefined ? 0n : parseQuantity(from[name]).milli
  const names = ['cpu', 'memory']
  const nothing = containers.every((c) =>
    names.every((n) => asked(c.resources?.limits, n) === 0n && asked(c.resources?.requests, n) === 0n),
  )
  if (nothing) return 'BestEffort'
  const exact = containers.every((c) =>
    names.every((n) => {
      const limit = asked(c.resources?.limits, n)
      return limit > 0n && asked(c.resources?.requests ?? c.resources?.limits, n) === limit
    }),
  )
  return exact ? 'Guaranteed' : 'Burstable'
}

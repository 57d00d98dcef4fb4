/** Where a proxied request goes: a pod's port, or that of one of the pods behind a service. */
import type { EndpointSlice, Pod, Service } from '../../../api/objects.ts'
import { StatusError, badRequest, notFound } from '../../../api/status.ts'
import { kindOf } from '../../../api/resources.ts'
import type { Store } from '../../store/store.ts'
import type { ProxyTarget } from '../target.ts'

export interface ProxyPlace {
  readonly node: string
  readonly namespace: string
  readonly pod: string
  readonly port: number
  /** What the Host header says. */
  readonly address: string
}

/** @param turn counts up, so that the pods of a service take turns. @throws StatusError NotFound, BadRequest, ServiceUnavailable */
export function placeOf(store: Store, target: ProxyTarget, turn: number): ProxyPlace {
  const { of, namespace, name } = target
  const object = store.get({ resource: of, namespace, name })
  if (!object) throw notFound(kindOf(of), name)
  return of === 'pods' ? inPod(object as Pod, target.port) : behindService(store, { service: object as Service, port: target.port, turn })
}

function inPod(pod: Pod, asked: string): ProxyPlace {
  const { name, namespace = '' } = pod.metadata
  const ports = (pod.spec?.containers ?? []).flatMap((c) => c.ports ?? [])
  const named = asked === '' ? ports[0]?.containerPort : ports.find((p) => p.name === asked)?.containerPort
  const port = named ?? (asked === '' ? 80 : portNumber(asked))
  if (port === undefined) throw badRequest(`pod ${name} has no port named ${JSON.stringify(asked)}`)
  const node = pod.spec?.nodeName
  const address = pod.status?.podIP
  if (!node || !address) throw new StatusError('ServiceUnavailable', `pod ${name} has no address yet`)
  return { node, namespace, pod: name, port, address }
}

interface Behind {
  readonly service: Service
  readonly port: string
  readonly turn: number
}

function behindService(store: Store, { service, port: asked, turn }: Behind): ProxyPlace {
  const { name, namespace = '' } = service.metadata
  const ports = service.spec?.ports ?? []
  const number = portNumber(asked)
  const port = asked === '' && ports.length === 1 ? ports[0] : ports.find((p) => p.name === asked || p.port === number)
  if (!port) throw new StatusError('ServiceUnavailable', `no port ${JSON.stringify(asked)} in service "${name}": name one of ${ports.map((p) => p.name ?? p.port).join(', ')}`)
  const slices = (store.list('endpointslices.discovery.k8s.io', namespace) as readonly EndpointSlice[]).filter(
    (slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === name,
  )
  const places = slices.flatMap((slice) => {
    const target = slice.ports?.find((p) => (p.name ?? '') === (port.name ?? ''))?.port
    return target === undefined ? [] : (slice.endpoints ?? []).flatMap((endpoint) => readyPod(endpoint, { namespace, port: target }))
  })
  const place = places[turn % Math.max(1, places.length)]
  if (!place) throw new StatusError('ServiceUnavailable', `no endpoints available for service "${name}" that are pods on a node`)
  return place
}

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number]

function readyPod({ conditions, targetRef, nodeName, addresses }: Endpoint, { namespace, port }: Pick<ProxyPlace, 'namespace' | 'port'>): readonly ProxyPlace[] {
  if (conditions?.ready === false || targetRef?.kind !== 'Pod' || !targetRef.name || !nodeName) return []
  return [{ node: nodeName, namespace, pod: targetRef.name, port, address: addresses[0] ?? '' }]
}

function portNumber(text: string): number | undefined {
  const port = Number(text)
  return /^\d{1,5}$/.test(text) && port > 0 && port < 65_536 ? port : undefined
}

/** What a container learns of services from its environment (core/v1 PodSpec.enableServiceLinks). Pure. */
import type { Pod, Service } from '../../api/objects.ts'
import type { Variable } from './env.ts'

/** The kernel takes an environment of some 2 MB at exec(2); the links of a namespace with very many services leave room for all else. */
const mostLinks = 1_000

/**
 * Where the API is: always. The other services of the pod's namespace: unless the pod says no, or there are more than a thousand.
 * @param services all that the node knows
 */
export function serviceVariables(pod: Pod, services: Iterable<Service>): readonly Variable[] {
  const namespace = pod.metadata.namespace ?? 'default'
  const own: Service[] = []
  const api: Service[] = []
  for (const service of services) {
    if (!hasAddress(service)) continue
    if (service.metadata.namespace === 'default' && service.metadata.name === 'kubernetes') api.push(service)
    else if (service.metadata.namespace === namespace) own.push(service)
  }
  const linked = pod.spec?.enableServiceLinks === false || own.length > mostLinks ? [] : own
  const ordered = linked.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  return [...ordered, ...api].flatMap(variablesOf)
}

const hasAddress = ({ spec }: Service): boolean => Boolean(spec?.clusterIP) && spec?.clusterIP !== 'None' && (spec?.ports?.length ?? 0) > 0

const word = (text: string): string => text.toUpperCase().replaceAll('-', '_')

/** For `web` with the port `http`: WEB_SERVICE_HOST, WEB_SERVICE_PORT, WEB_SERVICE_PORT_HTTP, and those of Docker's links. */
function variablesOf({ metadata, spec }: Service): readonly Variable[] {
  const name = word(metadata.name)
  const host = spec!.clusterIP!
  const ports = spec!.ports!
  const urlHost = host.includes(':') ? `[${host}]` : host
  const url = (port: (typeof ports)[number]): string => `${(port.protocol ?? 'TCP').toLowerCase()}://${urlHost}:${port.port}`
  const links = ports.flatMap((port) => {
    const protocol = port.protocol ?? 'TCP'
    const prefix = `${name}_PORT_${port.port}_${protocol.toUpperCase()}`
    return [
      [prefix, url(port)],
      [`${prefix}_PROTO`, protocol.toLowerCase()],
      [`${prefix}_PORT`, String(port.port)],
      [`${prefix}_ADDR`, host],
    ]
  })
  const named = ports.filter((port) => port.name).map((port) => [`${name}_SERVICE_PORT_${word(port.name!)}`, String(port.port)])
  const first = ports[0]!
  const pairs = [[`${name}_SERVICE_HOST`, host], [`${name}_SERVICE_PORT`, String(first.port)], ...named, [`${name}_PORT`, url(first)], ...links]
  return pairs.map(([key, value]) => ({ name: key!, value: value! }))
}

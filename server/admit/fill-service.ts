/** A Service (core/v1) with its address families, cluster IPs and node ports, taken from the pools for one request. */
import { keyOf, type Service, type ServiceSpec } from '../../api/objects.ts'
import type { StatusCause } from '../../api/status.ts'
import { wrong } from './causes.ts'
import { withFamilies } from './families.ts'
import type { Pool } from './pool.ts'
import type { AddressRange } from './ranges.ts'
import { isHeadless, wantsClusterIP, wantsHealthPort, wantsNodePorts } from './validate/service.ts'

/** All pools, and the way between what they hold and what services say. */
export interface Pools {
  /** One of each family that the cluster has, its own first. */
  readonly addresses: readonly { readonly range: AddressRange; readonly pool: Pool }[]
  /** With a lane for each protocol. */
  readonly ports: Pool
  indexOfPort(port: number): number | undefined
  port(index: number): number
  lane(protocol: string): number
  readonly portRange: string
}

/** What a claim holds beyond what its service holds already. */
export interface Taken {
  /** False where another service or request has it. */
  take(pool: Pool, index: number, by: { readonly owner: string; readonly lane?: number }): boolean
  next(pool: Pool, lane?: number): number | undefined
  readonly release: () => void
}

export interface FillContext {
  readonly before: Service | undefined
  readonly pools: Pools
  readonly taken: Taken
}

interface Fill extends FillContext {
  /** `namespace/name` of the service. */
  readonly key: string
  readonly causes: StatusCause[]
}

const kubernetesService = 'default/kubernetes'

/** A node port of a service; health checks are asked for by TCP. */
export interface HeldPort {
  readonly port: number
  readonly protocol: string
}

export function portsOf(spec: ServiceSpec): readonly HeldPort[] {
  const ports = (spec.ports ?? []).map(({ nodePort, protocol }) => ({ port: nodePort ?? 0, protocol: protocol ?? 'TCP' }))
  return [...ports, { port: spec.healthCheckNodePort ?? 0, protocol: 'TCP' }].filter((p) => p.port !== 0)
}

/** @returns the service filled in, or everything that keeps it from being so */
export function fillService(service: Service, context: FillContext): Service | readonly StatusCause[] {
  const fill: Fill = { ...context, key: keyOf(service), causes: [] }
  const cluster = fill.pools.addresses.map((a) => a.range.family)
  const { spec, causes } = withFamilies(service.spec ?? {}, { old: fill.before?.spec, cluster })
  if (causes.length > 0) return causes
  const filled: ServiceSpec = { ...spec, ...(wantsClusterIP(spec) && fillAddresses(spec, fill)) }
  if (isHeadless(spec)) filled.clusterIPs = ['None']
  if (wantsNodePorts(spec) || portsOf(spec).length > 0 || wantsHealthPort(spec)) fillPorts(filled, fill)
  return fill.causes.length > 0 ? fill.causes : { ...service, spec: filled }
}

function fillAddresses(spec: ServiceSpec, fill: Fill): Pick<ServiceSpec, 'clusterIP' | 'clusterIPs'> {
  const wanted = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])
  const clusterIPs = (spec.ipFamilies ?? []).map((family, i) => {
    const field = i === 0 ? 'spec.clusterIP' : `spec.clusterIPs[${i}]`
    return fillAddress(wanted[i] ?? '', { field, family }, fill)
  })
  return { clusterIP: clusterIPs[0]!, clusterIPs }
}

/** The address, or what was wanted with a cause told. */
function fillAddress(wanted: string, { field, family }: { field: string; family: string }, fill: Fill): string {
  const { pools, taken, before, key, causes } = fill
  const refuse = (why: string): string => {
    causes.push(wrong(field, wanted, why))
    return wanted
  }
  // What was given out under another range stays.
  if (wanted !== '' && before?.spec?.clusterIPs?.includes(wanted)) return wanted
  const place = pools.addresses.find((a) => a.range.family === family)
  if (!place) return refuse(`${family} is not configured on this cluster`)
  const { range, pool } = place
  const isFirst = place === pools.addresses[0]
  if (wanted === '') {
    const own = isFirst && key === kubernetesService && taken.take(pool, 0, { owner: key })
    const index = own ? 0 : nextAddress(pool, taken, isFirst)
    const wayOut = 'delete services, or start the hub with a larger --service-cidr'
    return index === undefined ? refuse(`no address is left in the service range ${range.cidr}; ${wayOut}`) : range.at(index)
  }
  const index = range.indexOf(wanted)
  const why = `the provided IP is not in the valid range. The range of valid IPs is ${range.cidr}`
  if (index === undefined) return refuse(`failed to allocate IP ${wanted}: ${why}`)
  if (isFirst && index === 0 && key !== kubernetesService) return refuse(`provided IP is kept for the service ${kubernetesService}`)
  return taken.take(pool, index, { owner: key }) ? wanted : refuse('provided IP is already allocated')
}

/** Any but the first of the cluster's own range, which is the hub's. */
function nextAddress(pool: Pool, taken: Taken, isFirst: boolean): number | undefined {
  const index = taken.next(pool)
  return index === 0 && isFirst ? taken.next(pool) : index
}

/** Sets the ports in `spec`, a copy that nobody else has. */
function fillPorts(spec: ServiceSpec, fill: Fill): void {
  const { pools, taken, causes, key } = fill
  /** By number: TCP and UDP ports of one service may have the same one. */
  const mine = new Map<number, Set<string>>()
  const note = (port: number, protocol: string): void => void mine.set(port, (mine.get(port) ?? new Set()).add(protocol))
  const claim = (field: string, wanted: number, protocol: string): void => {
    const problem = portProblem(wanted, protocol, fill)
    if (problem) causes.push(wrong(field, wanted, problem))
    note(wanted, protocol)
  }
  const give = (field: string, protocol: string): number | undefined => {
    const index = taken.next(pools.ports, pools.lane(protocol))
    const wayOut = 'delete services, or use `type` ClusterIP'
    if (index === undefined) causes.push(wrong(field, 0, `no node port is left in ${pools.portRange}; ${wayOut}`))
    return index === undefined ? undefined : pools.port(index)
  }
  /** The same port by another protocol (DNS) is reached at the same node port, where that is free. */
  const twin = (ports: NonNullable<ServiceSpec['ports']>, port: number, protocol: string): number | undefined => {
    const other = ports.find((p) => p.port === port && p.nodePort && !mine.get(p.nodePort)?.has(protocol))?.nodePort
    const index = other === undefined ? undefined : pools.indexOfPort(other)
    return index !== undefined && taken.take(pools.ports, index, { owner: key, lane: pools.lane(protocol) }) ? other : undefined
  }
  const ports = spec.ports ?? []
  for (const [i, { nodePort, protocol = 'TCP' }] of ports.entries())
    if (nodePort) claim(`spec.ports[${i}].nodePort`, nodePort, protocol)
  if (spec.healthCheckNodePort) claim('spec.healthCheckNodePort', spec.healthCheckNodePort, 'TCP')
  if (wantsNodePorts(spec)) {
    const filled = [...ports]
    spec.ports = filled
    for (const [i, port] of ports.entries()) {
      if (port.nodePort) continue
      const { protocol = 'TCP' } = port
      const nodePort = twin(filled, port.port, protocol) ?? give(`spec.ports[${i}].nodePort`, protocol)
      if (nodePort) note(nodePort, protocol)
      filled[i] = { ...port, nodePort }
    }
  }
  if (wantsHealthPort(spec) && !spec.healthCheckNodePort) spec.healthCheckNodePort = give('spec.healthCheckNodePort', 'TCP')
}

function portProblem(port: number, protocol: string, { pools, taken, key, before }: Fill): string | undefined {
  if (portsOf(before?.spec ?? {}).some((p) => p.port === port && p.protocol === protocol)) return undefined
  const index = pools.indexOfPort(port)
  if (index === undefined) return `provided port is not in the valid range. The range of valid ports is ${pools.portRange}`
  const free = taken.take(pools.ports, index, { owner: key, lane: pools.lane(protocol) })
  return free ? undefined : 'provided port is already allocated'
}

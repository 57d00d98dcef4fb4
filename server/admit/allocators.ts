/**
 * Cluster IPs and node ports of Services (core/v1): each belongs to one service at most. What services in the store hold is
 * held; what a request takes is held for it until its write is decided, and then until the store has told of the write.
 * One hub at a time: two that write to one store would have to agree on more than this.
 */
import ipaddr from 'ipaddr.js'
import { keyOf, type KubeObject, type Service, type ServiceSpec } from '../../api/objects.ts'
import type { StatusCause } from '../../api/status.ts'
import type { Store } from '../store/store.ts'
import { wrong } from './causes.ts'
import { createPool, type Pool } from './pool.ts'
import { wantsClusterIP, wantsHealthPort, wantsNodePorts } from './validate/service.ts'

export interface AllocatorOptions {
  readonly store: Store
  readonly random: () => number
  /** IPv4; 10.96.0.0/12 unless told. */
  readonly serviceCIDR?: string
  /** Both ends belong to it; 30000 to 32767 unless told. */
  readonly nodePorts?: readonly [number, number]
}

export interface Allocators {
  /** The first address of the range, which is kept for the service `default/kubernetes`. */
  readonly firstIP: string
  /** Begins a request; end it with `settle` or `abandon`. */
  claim(): Claim
  /** Stops following the store. */
  close(): void
}

/** What one request takes. */
export interface Claim {
  /**
   * The service with its addresses and ports filled in, or why that cannot be. May be called again for the same request: what
   * the last call took and this one does not need is given back.
   */
  fill(service: Service, before?: Service): Service | readonly StatusCause[]
  /** The write was acknowledged as this revision. */
  settle(revision: number): void
  /** There was no write. */
  abandon(): void
}

export const serviceDefaults = { cidr: '10.96.0.0/12', nodePorts: [30000, 32767] } as const
const kubernetesService = 'default/kubernetes'

/** Both pools, and the way between what they hold and what services say. */
interface Pools {
  readonly ips: Pool
  readonly ports: Pool
  indexOfIP(address: string): number | undefined
  indexOfPort(port: number): number | undefined
  ip(index: number): string
  port(index: number): number
  readonly cidr: string
  readonly range: string
}

/** @throws RangeError for a range that is no IPv4 range, or has no room */
export function createAllocators(options: AllocatorOptions): Allocators {
  const pools = createPools(options)
  const { store } = options
  /** Claims that were written and wait for the store to tell of it. */
  const settled: { revision: number; release: () => void }[] = []
  let seen = store.revision
  let claims = 0

  const unwatch = store.watch(seen, ({ revision, resource, object, previous, type }) => {
    seen = revision
    if (resource === 'services') {
      if (previous) hold(pools, previous, 'release')
      if (type !== 'DELETED') hold(pools, object, 'assign')
    }
    for (const ended of settled.filter((s) => s.revision <= seen)) {
      settled.splice(settled.indexOf(ended), 1)
      ended.release()
    }
  })
  for (const object of store.list('services')) hold(pools, object, 'assign')

  return {
    firstIP: pools.ip(0),
    claim() {
      const taken = createTaken(pools, `claim ${++claims}`)
      return {
        fill: (service, before) => {
          taken.release()
          return fillService(service, { before, pools, taken })
        },
        settle(revision) {
          if (revision <= seen) taken.release()
          else settled.push({ revision, release: taken.release })
        },
        abandon: taken.release,
      }
    },
    close: unwatch,
  }
}

function createPools({
  random,
  serviceCIDR = serviceDefaults.cidr,
  nodePorts = serviceDefaults.nodePorts,
}: AllocatorOptions): Pools {
  if (!ipaddr.IPv4.isValidCIDRFourPartDecimal(serviceCIDR))
    throw new RangeError(`the service range ${serviceCIDR} must be an IPv4 range such as ${serviceDefaults.cidr}`)
  const [base, bits] = ipaddr.IPv4.parseCIDR(serviceCIDR)
  // Without the address of the network and the one of all hosts.
  const size = 2 ** (32 - bits) - 2
  if (size < 1) throw new RangeError(`the service range ${serviceCIDR} has no room for addresses: use /30 or larger`)
  const first = (numberOf(base) >>> (32 - bits)) * 2 ** (32 - bits) + 1
  const [low, high] = nodePorts
  const count = high - low + 1
  return {
    ips: createPool(size, Math.min(Math.max(1, Math.floor(size / 16)), 256), random),
    ports: createPool(count, Math.min(Math.floor(count / 32), 128), random),
    indexOfIP: (address) =>
      ipaddr.IPv4.isValidFourPartDecimal(address) ? inside(numberOf(ipaddr.IPv4.parse(address)) - first, size) : undefined,
    indexOfPort: (port) => inside(port - low, count),
    ip: (index) => textOf(first + index),
    port: (index) => low + index,
    cidr: serviceCIDR,
    range: `${low}-${high}`,
  }
}

const inside = (index: number, size: number): number | undefined => (index >= 0 && index < size ? index : undefined)
const numberOf = (address: ipaddr.IPv4): number => address.toByteArray().reduce((n, byte) => n * 256 + byte, 0)
const textOf = (n: number): string => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join('.')

/** Assigns to a stored service what it says it has, or releases it. What is stored is stored: it wins over claims. */
function hold(pools: Pools, object: KubeObject, verb: 'assign' | 'release'): void {
  const { spec = {} } = object as Service
  const ip = pools.indexOfIP(spec.clusterIP ?? '')
  if (ip !== undefined) pools.ips[verb](ip, keyOf(object))
  for (const port of portsOf(spec)) {
    const index = pools.indexOfPort(port)
    if (index !== undefined) pools.ports[verb](index, keyOf(object))
  }
}

function portsOf(spec: ServiceSpec): readonly number[] {
  return [...(spec.ports ?? []).map((p) => p.nodePort ?? 0), spec.healthCheckNodePort ?? 0].filter((p) => p !== 0)
}

/** What a claim holds beyond what its service holds already. */
interface Taken {
  /** False where another service or request has it. @param owner the service that may have it already */
  take(kind: 'ips' | 'ports', index: number, owner: string): boolean
  next(kind: 'ips' | 'ports'): number | undefined
  readonly release: () => void
}

function createTaken(pools: Pools, holder: string): Taken {
  const taken: (readonly ['ips' | 'ports', number])[] = []
  return {
    take(kind, index, owner) {
      if (pools[kind].holder(index) === owner) return true
      if (!pools[kind].take(index, holder)) return false
      taken.push([kind, index])
      return true
    },
    next(kind) {
      const index = pools[kind].next(holder)
      if (index !== undefined) taken.push([kind, index])
      return index
    },
    release() {
      for (const [kind, index] of taken.splice(0)) pools[kind].release(index, holder)
    },
  }
}

interface Context {
  readonly before: Service | undefined
  readonly pools: Pools
  readonly taken: Taken
}

function fillService(service: Service, context: Context): Service | readonly StatusCause[] {
  const spec = service.spec ?? {}
  const key = keyOf(service)
  const causes: StatusCause[] = []
  const address = wantsClusterIP(spec) ? fillAddress(spec.clusterIP ?? '', key, context) : undefined
  if (typeof address === 'object') causes.push(address)
  const filled: ServiceSpec = { ...spec, ...(typeof address === 'string' && { clusterIP: address, clusterIPs: [address] }) }
  if (wantsNodePorts(spec) || portsOf(spec).length > 0) fillPorts(filled, key, { ...context, causes })
  return causes.length > 0 ? causes : { ...service, spec: filled }
}

function fillAddress(wanted: string, key: string, { pools, taken, before }: Context): string | StatusCause {
  const field = 'spec.clusterIP'
  if (wanted === '') {
    const index = key === kubernetesService && taken.take('ips', 0, key) ? 0 : nextAddress(taken)
    return index === undefined
      ? wrong(
          field,
          '',
          `no address is left in the service range ${pools.cidr}; delete services, or start the hub with a larger --service-cidr`,
        )
      : pools.ip(index)
  }
  // What was given out under another range stays.
  if (wanted === before?.spec?.clusterIP) return wanted
  const index = pools.indexOfIP(wanted)
  if (index === undefined)
    return wrong(
      field,
      wanted,
      `failed to allocate IP ${wanted}: the provided IP is not in the valid range. The range of valid IPs is ${pools.cidr}`,
    )
  if (index === 0 && key !== kubernetesService)
    return wrong(field, wanted, `provided IP is kept for the service ${kubernetesService}`)
  return taken.take('ips', index, key) ? wanted : wrong(field, wanted, 'provided IP is already allocated')
}

/** Any but the first, which is the hub's own. */
function nextAddress(taken: Taken): number | undefined {
  const index = taken.next('ips')
  return index === 0 ? taken.next('ips') : index
}

/** Sets the ports in `spec`, a copy that nobody else has. */
function fillPorts(spec: ServiceSpec, key: string, context: Context & { readonly causes: StatusCause[] }): void {
  const { pools, taken, causes } = context
  const old = new Set(portsOf(context.before?.spec ?? {}))
  /** By number: TCP and UDP ports of one service may have the same one. */
  const mine = new Map<number, Set<string>>()
  const claim = (field: string, wanted: number, protocol: string): void => {
    const problem = portProblem(wanted, key, { pools, taken, old })
    if (problem) causes.push(wrong(field, wanted, problem))
    mine.set(wanted, (mine.get(wanted) ?? new Set()).add(protocol))
  }
  const give = (field: string): number | undefined => {
    const index = taken.next('ports')
    if (index === undefined)
      causes.push(wrong(field, 0, `no node port is left in ${pools.range}; delete services, or use \`type\` ClusterIP`))
    return index === undefined ? undefined : pools.port(index)
  }
  const ports = spec.ports ?? []
  for (const [i, { nodePort, protocol = 'TCP' }] of ports.entries())
    if (nodePort) claim(`spec.ports[${i}].nodePort`, nodePort, protocol)
  if (spec.healthCheckNodePort) claim('spec.healthCheckNodePort', spec.healthCheckNodePort, 'health')
  if (wantsNodePorts(spec)) {
    const filled = [...ports]
    spec.ports = filled
    for (const [i, port] of ports.entries()) {
      if (port.nodePort) continue
      const { protocol = 'TCP' } = port
      // The same port by another protocol (DNS) is reached at the same node port.
      const twin = filled.find((p) => p.port === port.port && p.nodePort && !mine.get(p.nodePort)?.has(protocol))?.nodePort
      const nodePort = twin ?? give(`spec.ports[${i}].nodePort`)
      if (nodePort) mine.set(nodePort, (mine.get(nodePort) ?? new Set()).add(protocol))
      filled[i] = { ...port, nodePort }
    }
  }
  if (wantsHealthPort(spec) && !spec.healthCheckNodePort) spec.healthCheckNodePort = give('spec.healthCheckNodePort')
}

function portProblem(
  port: number,
  key: string,
  { pools, taken, old }: { pools: Pools; taken: Taken; old: ReadonlySet<number> },
): string | undefined {
  if (old.has(port)) return undefined
  const index = pools.indexOfPort(port)
  if (index === undefined) return `provided port is not in the valid range. The range of valid ports is ${pools.range}`
  return taken.take('ports', index, key) ? undefined : 'provided port is already allocated'
}

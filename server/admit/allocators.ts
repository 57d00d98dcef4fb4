/**
 * Cluster IPs and node ports of Services (core/v1): each belongs to one service at most, a port once for each protocol. What
 * services in the store hold is held; what a request takes is held for it until its write is decided, and then until the
 * store has told of the write. What other hubs take is known when the store tells of it; until then the store itself refuses
 * what they were faster to write (`words.ts`), and the write is decided again with what it has told meanwhile.
 */
import { keyOf, type KubeObject, type Service } from '../../api/objects.ts'
import type { StatusCause } from '../../api/status.ts'
import type { Store } from '../store/store.ts'
import { fillService, portsOf, type Pools, type Taken } from './fill-service.ts'
import { createPool, type Pool } from './pool.ts'
import { parseRanges, type Family } from './ranges.ts'

export interface AllocatorOptions {
  readonly store: Store
  readonly random: () => number
  /** One range, or one of each family with a comma between them; 10.96.0.0/12 unless told. */
  readonly serviceCIDR?: string
  /** Both ends belong to it; 30000 to 32767 unless told. */
  readonly nodePorts?: readonly [number, number]
}

export interface Allocators {
  /** The first address of the (first) range, which is kept for the service `default/kubernetes`. */
  readonly firstIP: string
  /** The address families of services; that of services that do not ask for one is first. */
  readonly families: readonly Family[]
  /** Begins a request; end it with `settle` or `abandon`. */
  claim(): Claim
  /** Stops following the store. */
  close(): void
}

/** What one request takes. */
export interface Claim {
  /**
   * The service with its families, addresses and ports filled in, or why that cannot be. May be called again for the same
   * request: what the last call took and this one does not need is given back.
   */
  fill(service: Service, before?: Service): Service | readonly StatusCause[]
  /** The write was acknowledged as this revision. */
  settle(revision: number): void
  /** There was no write. */
  abandon(): void
}

export const serviceDefaults = { cidr: '10.96.0.0/12', nodePorts: [30000, 32767] } as const

/** @throws RangeError for a range that is none, or has no room */
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
    firstIP: pools.addresses[0]!.range.at(0),
    families: pools.addresses.map((a) => a.range.family),
    claim() {
      const taken = createTaken(`claim ${++claims}`)
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

const lanes = ['TCP', 'UDP', 'SCTP']

function createPools({
  random,
  serviceCIDR = serviceDefaults.cidr,
  nodePorts = serviceDefaults.nodePorts,
}: AllocatorOptions): Pools {
  const [low, high] = nodePorts
  const count = high - low + 1
  return {
    addresses: parseRanges(serviceCIDR).map((range) => {
      const band = Math.min(Math.max(1, Math.floor(range.size / 16)), 256)
      return { range, pool: createPool({ size: range.size, band, random }) }
    }),
    ports: createPool({ size: count, band: Math.min(Math.floor(count / 32), 128), random, lanes: lanes.length }),
    indexOfPort: (port) => (port >= low && port <= high ? port - low : undefined),
    port: (index) => low + index,
    lane: (protocol) => Math.max(0, lanes.indexOf(protocol)),
    portRange: `${low}-${high}`,
  }
}

/** Assigns to a stored service what it says it has, or releases it. What is stored is stored: it wins over claims. */
function hold(pools: Pools, object: KubeObject, verb: 'assign' | 'release'): void {
  const { spec = {} } = object as Service
  for (const { range, pool } of pools.addresses) {
    for (const address of spec.clusterIPs ?? [spec.clusterIP ?? '']) {
      const index = range.indexOf(address)
      if (index !== undefined) pool[verb](index, keyOf(object))
    }
  }
  for (const { port, protocol } of portsOf(spec)) {
    const index = pools.indexOfPort(port)
    if (index !== undefined) pools.ports[verb](index, keyOf(object), pools.lane(protocol))
  }
}

function createTaken(holder: string): Taken {
  const taken: (readonly [Pool, number, number])[] = []
  return {
    take(pool, index, { owner, lane = 0 }) {
      if (pool.holder(index, lane) === owner) return true
      if (!pool.take(index, holder, lane)) return false
      taken.push([pool, index, lane])
      return true
    },
    next(pool, lane = 0) {
      const index = pool.next(holder, lane)
      if (index !== undefined) taken.push([pool, index, lane])
      return index
    },
    release() {
      for (const [pool, index, lane] of taken.splice(0)) pool.release(index, holder, lane)
    },
  }
}

/** Pod networks in memory, with the laws of the real ones: no raising without a range, each address once, remains are found. */
import { NetError } from './error.ts'
import type { PodNetwork, RaisedNetwork } from './pod-network.ts'

export interface FakePodNetwork extends PodNetwork {
  /** The next so many raisings fail half-way and leave remains. */
  failures: number
  /** Someone removed the namespace behind our back. */
  lose(uid: string): void
  /** Someone removed a link behind our back; only a check notices. */
  readonly unplugged: Set<string>
  /** Someone changed an address or a route: the plugins complain, though the link is there. */
  readonly changed: Set<string>
}

export function createFakePodNetwork(): FakePodNetwork {
  const up = new Map<string, RaisedNetwork>()
  const half = new Set<string>()
  const unplugged = new Set<string>()
  const changed = new Set<string>()
  let ranges: readonly string[] = []
  let next = 2

  const find: PodNetwork['find'] = (uid) => {
    const network = up.get(uid)
    if (network) return { kind: 'up', network }
    return { kind: half.has(uid) ? 'half' : 'none' }
  }

  return {
    failures: 0,
    unplugged,
    changed,
    lose(uid) {
      up.delete(uid)
      half.add(uid)
    },
    setRanges: (to) => void (ranges = to),
    get ready() {
      return ranges.length > 0
    },
    find,
    async raise(uid, signal) {
      await Promise.resolve()
      signal.throwIfAborted()
      if (ranges.length === 0) throw new NetError('SANDBOX_NETWORK', 'this node has no pod range yet; the hub gives it one')
      half.add(uid)
      if (this.failures > 0) {
        this.failures--
        throw new NetError('SANDBOX_NETWORK', 'no address is free')
      }
      half.delete(uid)
      unplugged.delete(uid)
      changed.delete(uid)
      const network = { addresses: [`${ranges[0]!.split('.').slice(0, 3).join('.')}.${next++}`], netns: `/run/netns/fake-${uid}` }
      up.set(uid, network)
      return network
    },
    async drop(uid) {
      await Promise.resolve()
      up.delete(uid)
      half.delete(uid)
    },
    check: (uid) => Promise.resolve(up.has(uid) && !unplugged.has(uid) && !changed.has(uid)),
    isCut: (uid) => Promise.resolve(!up.has(uid) || unplugged.has(uid)),
    uids: () => [...up.keys(), ...half],
  }
}

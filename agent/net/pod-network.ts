/**
 * The network of each pod: a namespace and what CNI put into it, with a record on disk so that a crash at any point leaves
 * something that can be completed or taken away.
 *
 * Invariants: the record is written before anything is made and removed after everything is gone; it holds a result only
 * once ADD has succeeded.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Exec } from '../kernel/exec.ts'
import { createCni, type CniResult } from './cni.ts'
import { NetError } from './error.ts'
import { createIp, readJson, type Ip } from './ip.ts'
import { createNamespaces, netnsName, netnsPath } from './netns.ts'

export interface RaisedNetwork {
  readonly addresses: readonly string[]
  /** Path of the namespace. */
  readonly netns: string
}

export type FoundNetwork =
  | { readonly kind: 'none' }
  | { readonly kind: 'half' }
  | { readonly kind: 'up'; readonly network: RaisedNetwork }

export interface PodNetwork {
  /** The node's pod ranges; before the first call no network can be raised. Those that stand keep theirs. */
  setRanges(ranges: readonly string[]): void
  readonly ready: boolean
  /** What stands for a pod: nothing, a whole network, or remains of one. Reads two files, no process. */
  find(uid: string): FoundNetwork
  /** Remains are taken away first. @throws NetError SANDBOX_NETWORK, KERNEL_REFUSED */
  raise(uid: string, signal: AbortSignal): Promise<RaisedNetwork>
  /** Gives the addresses back and removes the namespace. No error if there is nothing. @throws NetError */
  drop(uid: string, signal: AbortSignal): Promise<void>
  /** Whether the plugins still find the network as they left it. */
  check(uid: string, signal: AbortSignal): Promise<boolean>
  /**
   * Whether no link leads from the node to the pod any more, as when somebody deleted the node's own namespace and made it
   * anew: the plugins only look at the pod's end. @throws NetError
   */
  isCut(uid: string, signal: AbortSignal): Promise<boolean>
  /** Uids of all pods of which something stands. */
  uids(): readonly string[]
}

export interface PodNetworkOptions {
  readonly exec: Exec
  /** What the names of the namespaces begin with; no other node of the machine may have the same. */
  readonly netnsPrefix: string
  /** Of our own: records and host-local's addresses. */
  readonly dir: string
  /** Where the CNI plugins are, e.g. /usr/lib/cni. */
  readonly pluginDir: string
  /** Bytes; 1500 where nothing lies between the nodes. */
  readonly mtu: number
}

interface NetworkRecord {
  readonly uid: string
  readonly ranges: readonly string[]
  readonly result?: CniResult
}

/** What statfs(2) calls the file system of namespaces. */
const nsfsMagic = 0x6e736673

export function createPodNetwork(options: PodNetworkOptions): PodNetwork {
  const { exec, netnsPrefix, dir } = options
  const ip = createIp(exec)
  const namespaces = createNamespaces(ip)
  const recordDir = join(dir, 'pods')
  const recordPath = (uid: string): string => join(recordDir, `${uid}.json`)
  const nameOf = (uid: string): string => netnsName(netnsPrefix, uid)
  let ranges: readonly string[] = []

  const cniFor = (of: readonly string[]) =>
    createCni(exec, options.pluginDir, { ranges: of, dataDir: join(dir, 'addresses'), mtu: options.mtu })

  function read(uid: string): NetworkRecord | undefined {
    try {
      return JSON.parse(readFileSync(recordPath(uid), 'utf8')) as NetworkRecord
    } catch {
      return undefined
    }
  }

  function write(record: NetworkRecord): void {
    mkdirSync(recordDir, { recursive: true })
    const fresh = `${recordPath(record.uid)}.new`
    writeFileSync(fresh, JSON.stringify(record))
    renameSync(fresh, recordPath(record.uid))
  }

  const stands = (uid: string): boolean => isNamespace(netnsPath(nameOf(uid)))

  function find(uid: string): FoundNetwork {
    const record = read(uid)
    const netns = netnsPath(nameOf(uid))
    const there = stands(uid)
    if (record?.result && there) return { kind: 'up', network: { addresses: record.result.addresses, netns } }
    return record || there ? { kind: 'half' } : { kind: 'none' }
  }

  async function drop(uid: string, signal: AbortSignal): Promise<void> {
    const record = read(uid)
    const of = record?.ranges ?? ranges
    if (of.length > 0) {
      await cniFor(of).del({ containerId: uid, ...(stands(uid) && { netns: netnsPath(nameOf(uid)) }) }, signal)
    }
    await namespaces.remove(nameOf(uid), signal)
    rmSync(recordPath(uid), { force: true })
  }

  return {
    setRanges(next) {
      ranges = next
    },
    get ready() {
      return ranges.length > 0
    },
    find,
    drop,
    async raise(uid, signal) {
      if (ranges.length === 0) throw new NetError('SANDBOX_NETWORK', 'this node has no pod range yet; the hub gives it one')
      if (find(uid).kind !== 'none') await drop(uid, signal)
      const record = { uid, ranges }
      write(record)
      await namespaces.make(nameOf(uid), signal)
      const netns = netnsPath(nameOf(uid))
      const result = await cniFor(ranges).add({ containerId: uid, netns }, signal)
      write({ ...record, result })
      return { addresses: result.addresses, netns }
    },
    async check(uid, signal) {
      const record = read(uid)
      if (!record?.result || !stands(uid)) return false
      return cniFor(record.ranges).check({ containerId: uid, netns: netnsPath(nameOf(uid)) }, record.result, signal)
    },
    async isCut(uid, signal) {
      for (const address of read(uid)?.result?.addresses ?? []) {
        if (!(await hasRoute(ip, address, signal))) return true
      }
      return false
    },
    uids() {
      try {
        return readdirSync(recordDir).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -'.json'.length)] : []))
      } catch {
        return []
      }
    },
  }
}

/** Whether the node has a route to this very address, as `ptp` makes one for each pod. */
async function hasRoute(ip: Ip, address: string, signal: AbortSignal): Promise<boolean> {
  const [family, length] = address.includes(':') ? ['-6', 128] : ['-4', 32]
  return readJson<object>(await ip(['-json', family, 'route', 'show', `${address}/${length}`], signal)).length > 0
}

/** A name under /run/netns is only a file where its making was cut short. */
function isNamespace(path: string): boolean {
  try {
    return statfsSync(path).type === nsfsMagic
  } catch {
    return false
  }
}

/** What a pod has on the node's disk: its own small files, its volumes and its logs. Nobody else in this room writes there. */
import { chmodSync, mkdirSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync, type Stats } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import type { Pod } from '../../api/objects.ts'
import { readHostResolv, type ResolvConf } from '../dns/host-resolv.ts'
import type { PodIdentity } from './attempts.ts'
import { PodError } from './error.ts'
import { podResolvText, type ClusterDns } from './resolv.ts'
import { olderLog } from './runtime/log-format.ts'
import { hostnameOf } from './spec.ts'
import type { Provision } from './volumes/mount-plan.ts'

export interface PodFilesOptions {
  readonly node: string
  /** Of our own: pods' files and volumes below `pods`, logs below `logs`. */
  readonly dir: string
  /** Where pods with dnsPolicy ClusterFirst ask for names; without it they ask where the node asks. */
  readonly dns?: ClusterDns
  /** Reads the node's own resolv.conf. */
  readonly readResolv?: () => ResolvConf
}

export interface PodFiles {
  /** The pod's own folder. */
  dirOf(uid: string): string
  logPath(pod: PodIdentity, container: string, attempt: number): string
  /** Attempts of which there is a log, the newest first. */
  loggedAttempts(pod: PodIdentity, container: string): readonly number[]
  /** Writes hosts, resolv.conf and hostname. */
  writeOwn(pod: Pod, podIPs: readonly string[]): void
  /** @throws PodError CONTAINER_CONFIG naming the field */
  provide(provisions: readonly Provision[]): void
  /** Of a container only the newest two logs stay. */
  trimLogs(pod: PodIdentity, container: string, newest: number): void
  drop(pod: PodIdentity): void
  /** Removes what belongs to no pod of these. */
  keepOnly(pods: readonly PodIdentity[]): void
}

/** Where pods have their folders, by uid. @param dir as in `PodFilesOptions` */
export const podsDirOf = (dir: string): string => join(dir, 'pods')

export function createPodFiles(options: PodFilesOptions): PodFiles {
  const podsDir = podsDirOf(options.dir)
  const logsDir = join(options.dir, 'logs')
  const dirOf = (uid: string): string => join(podsDir, uid)
  const logDirName = (pod: PodIdentity): string => `${pod.namespace}_${pod.name}_${pod.uid}`
  const logDir = (pod: PodIdentity, container: string): string => join(logsDir, logDirName(pod), container)
  const logPath = (pod: PodIdentity, container: string, attempt: number): string => join(logDir(pod, container), `${attempt}.log`)

  const loggedAttempts = (pod: PodIdentity, container: string): readonly number[] =>
    names(logDir(pod, container))
      .flatMap((name) => (/^\d+\.log$/.test(name) ? [Number.parseInt(name, 10)] : []))
      .toSorted((a, b) => b - a)

  return {
    dirOf,
    logPath,
    loggedAttempts,
    writeOwn(pod, podIPs) {
      const dir = dirOf(pod.metadata.uid)
      mkdirSync(dir, { recursive: true })
      writeFileSync(join(dir, 'hosts'), hostsText(pod, podIPs, options.node))
      writeFileSync(join(dir, 'resolv.conf'), podResolvText(pod, options.dns, options.readResolv ?? readHostResolv))
      writeFileSync(join(dir, 'hostname'), `${hostnameOf(pod, options.node)}\n`)
    },
    provide(provisions) {
      for (const provision of provisions) {
        if (provision.kind === 'folder') makeOpenFolder(provision)
        else if (provision.kind === 'inside') expectInside(provision)
        else provideHostPath(provision)
      }
    },
    trimLogs(pod, container, newest) {
      for (const attempt of loggedAttempts(pod, container).filter((a) => a < newest - 1)) {
        const path = logPath(pod, container, attempt)
        for (const file of [path, olderLog(path)]) rmSync(file, { force: true })
      }
    },
    drop(pod) {
      rmSync(dirOf(pod.uid), { recursive: true, force: true })
      rmSync(join(logsDir, logDirName(pod)), { recursive: true, force: true })
    },
    keepOnly(pods) {
      const uids = new Set(pods.map((p) => p.uid))
      const logs = new Set(pods.map(logDirName))
      for (const uid of names(podsDir).filter((name) => !uids.has(name))) rmSync(dirOf(uid), { recursive: true, force: true })
      for (const name of names(logsDir).filter((n) => !logs.has(n))) rmSync(join(logsDir, name), { recursive: true, force: true })
    },
  }
}

function names(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

/** Images run as any user, so an emptyDir is open to all, whatever our umask. */
function makeOpenFolder(provision: Provision & { readonly kind: 'folder' }): void {
  const { path, volume } = provision
  if (path !== volume) expectContained(nearest(path), provision)
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o777)
}

function expectInside(provision: Provision & { readonly kind: 'inside' }): void {
  const { path, field } = provision
  if (!statSync(path, { throwIfNoEntry: false })) throw new PodError('CONTAINER_CONFIG', `${field}: the volume holds nothing by that name`)
  expectContained(path, provision)
}

/** What is there of a path. A link that leads to nothing is not. */
const nearest = (path: string): string => (statSync(path, { throwIfNoEntry: false }) ? path : nearest(dirname(path)))

/** Containers of the pod may have put links into the volume. */
function expectContained(path: string, { volume, field }: { readonly volume: string; readonly field: string }): void {
  const [at, root] = [realpathSync(path), realpathSync(volume)]
  if (at !== root && !at.startsWith(root + sep)) throw new PodError('CONTAINER_CONFIG', `${field}: a link leads out of the volume`)
}

/** The rules of core/v1 HostPathVolumeSource.type. */
function provideHostPath(provision: Provision & { readonly kind: 'host' }): void {
  const { path, type, field } = provision
  let stats: Stats | undefined = statSync(path, { throwIfNoEntry: false })
  if (!stats && type === 'DirectoryOrCreate') mkdirSync(path, { recursive: true, mode: 0o755 })
  if (!stats && type === 'FileOrCreate') {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, '', { flag: 'a', mode: 0o644 })
  }
  stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) {
    throw new PodError('CONTAINER_CONFIG', `${field}: there is no ${path} on this node; make it, or use DirectoryOrCreate`)
  }
  const kinds: Readonly<Record<string, (s: Stats) => boolean>> = {
    '': () => true,
    Directory: (s) => s.isDirectory(),
    DirectoryOrCreate: (s) => s.isDirectory(),
    File: (s) => s.isFile(),
    FileOrCreate: (s) => s.isFile(),
    Socket: (s) => s.isSocket(),
    CharDevice: (s) => s.isCharacterDevice(),
    BlockDevice: (s) => s.isBlockDevice(),
  }
  if (!kinds[type]?.(stats)) throw new PodError('CONTAINER_CONFIG', `${field}: ${path} is not a ${type}`)
}

function hostsText(pod: Pod, podIPs: readonly string[], node: string): string {
  const { hostname, subdomain, hostAliases = [] } = pod.spec ?? {}
  const name = hostnameOf(pod, node)
  const names = hostname && subdomain ? `${hostname}.${subdomain} ${name}` : name
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...podIPs.map((ip) => `${ip}\t${names}`),
    ...hostAliases.map((a) => `${a.ip}\t${(a.hostnames ?? []).join(' ')}`),
    '',
  ].join('\n')
}

import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isWherryError } from '../../api/errors.ts'
import type { Container, Pod } from '../../api/objects.ts'
import { identityOf } from './attempts.ts'
import { createPodFiles, type PodFiles } from './pod-files.ts'
import { mountPlan } from './volumes/mount-plan.ts'

let dir: string
let files: PodFiles
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wp-files-'))
  files = createPodFiles({ node: 'a', dir: join(dir, 'agent'), dns: { address: '10.96.0.10', domain: 'cluster.local' } })
})
afterEach(() => rmSync(dir, { recursive: true }))

const pod = (spec: object = {}, name = 'web'): Pod =>
  ({ metadata: { name, namespace: 'shop', uid: `uid-${name}` }, spec: { containers: [], ...spec } }) as unknown as Pod
const own = (of: Pod, name: string): string => readFileSync(join(files.dirOf(of.metadata.uid), name), 'utf8')
const mounting = (volume: object, mount: object = {}) => {
  const container = { name: 'c', volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] } as Container
  return mountPlan(pod({ volumes: [{ name: 'v', ...volume }] }), container, 'spec.containers[0]', join(dir, 'pod'))
}
function refusal(work: () => unknown): string {
  try {
    work()
  } catch (e) {
    if (isWherryError(e, 'CONTAINER_CONFIG')) return e.message
    throw e
  }
  return 'none'
}

describe("a pod's own files", () => {
  test('hosts has its addresses, its full name and its aliases', () => {
    const one = pod({ hostname: 'h', subdomain: 's', hostAliases: [{ ip: '192.0.2.9', hostnames: ['x', 'y'] }] })
    files.writeOwn(one, ['10.244.0.2', 'fd00::2'])
    expect(own(one, 'hosts')).toContain('10.244.0.2\th.s h\nfd00::2\th.s h\n192.0.2.9\tx y\n')
    expect(own(one, 'hostname')).toBe('h\n')
  })

  test('resolv.conf is that of its policy: the cluster, or where the node asks', () => {
    const readResolv = () => ({ nameservers: ['192.0.2.1'], searches: ['example.com'], options: [] })
    files = createPodFiles({ node: 'a', dir: join(dir, 'agent'), dns: { address: '10.96.0.10', domain: 'cluster.local' }, readResolv })
    const text = (spec: object): string => {
      files.writeOwn(pod(spec), [])
      return own(pod(), 'resolv.conf')
    }
    expect(text({})).toBe('nameserver 10.96.0.10\nsearch shop.svc.cluster.local svc.cluster.local cluster.local example.com\noptions ndots:5\n')
    expect(text({ dnsPolicy: 'Default' })).toBe('nameserver 192.0.2.1\nsearch example.com\n')
  })
})

describe('volumes', () => {
  test('an emptyDir is a folder of the pod, open to all; a subPath is one inside it', () => {
    const { mounts, provisions } = mounting({ emptyDir: {} }, { subPath: 'in', readOnly: true })
    expect(mounts).toEqual([{ source: join(dir, 'pod/volumes/v/in'), target: '/v', readOnly: true }])
    files.provide(provisions)
    expect(statSync(mounts[0]!.source).mode & 0o777).toBe(0o777)
  })

  test('a link that a container put into a volume leads nobody out of it', () => {
    const volume = join(dir, 'pod/volumes/v')
    mkdirSync(volume, { recursive: true })
    mkdirSync(join(dir, 'secret'), { mode: 0o700 })
    symlinkSync(join(dir, 'secret'), join(volume, 'out'))
    symlinkSync('.', join(volume, 'same'))
    for (const subPath of ['out', 'out/deeper']) {
      expect(refusal(() => files.provide(mounting({ emptyDir: {} }, { subPath }).provisions))).toBe('spec.containers[0].volumeMounts[0].subPath: a link leads out of the volume')
    }
    expect([readdirSync(join(dir, 'secret')), statSync(join(dir, 'secret')).mode & 0o777]).toEqual([[], 0o700])
    files.provide(mounting({ emptyDir: {} }, { subPath: 'same/in' }).provisions)
    expect(statSync(join(volume, 'in')).isDirectory()).toBe(true)
  })

  test('volumes that the agent writes are read-only, and a subPath has to be in them', () => {
    const { mounts, provisions } = mounting({ configMap: { name: 'm' } }, { subPath: 'key', readOnly: false })
    expect(mounts).toEqual([{ source: join(dir, 'pod/written/v/key'), target: '/v', readOnly: true }])
    expect(refusal(() => files.provide(provisions))).toContain('the volume holds nothing by that name')
    mkdirSync(join(dir, 'pod/written/v/key'), { recursive: true })
    expect(refusal(() => files.provide(provisions))).toBe('none')
  })

  test.each([
    ['DirectoryOrCreate', 'new', 'none'],
    ['FileOrCreate', 'new/file', 'none'],
    ['', 'folder', 'none'],
    ['Directory', 'folder', 'none'],
    ['Directory', 'file', 'is not a Directory'],
    ['File', 'folder', 'is not a File'],
    ['Directory', 'absent', 'spec.volumes[0].hostPath: there is no'],
    ['', 'absent', 'use DirectoryOrCreate'],
  ])('a hostPath of type %j on %s: %s', (type, path, message) => {
    mkdirSync(join(dir, 'folder'))
    writeFileSync(join(dir, 'file'), '')
    const { provisions } = mounting({ hostPath: { path: join(dir, path), type } })
    expect(refusal(() => files.provide(provisions))).toContain(message)
  })

  test.each([
    [{ emptyDir: { medium: 'HugePages' } }, {}, 'spec.volumes[0].emptyDir.medium'],
    [{ hostPath: { path: 'relative' } }, {}, 'spec.volumes[0].hostPath.path'],
    [{ nfs: { server: 's', path: '/' } }, {}, 'spec.volumes[0].nfs'],
    [{ emptyDir: {} }, { subPath: '../out' }, 'spec.containers[0].volumeMounts[0].subPath'],
    [{ emptyDir: {} }, { subPath: '/abs' }, 'spec.containers[0].volumeMounts[0].subPath'],
    [{ emptyDir: {} }, { mountPropagation: 'Bidirectional' }, 'spec.containers[0].volumeMounts[0].mountPropagation'],
  ])('%j with %j is refused by name', (volume, mount, field) => {
    expect(refusal(() => mounting(volume, mount))).toContain(`${field}: `)
  })
})

test('of a container the newest two logs stay, of a pod that is gone nothing does', () => {
  const [one, two] = [identityOf(pod()), identityOf(pod({}, 'other'))]
  for (const [of, attempt] of [[one, 0], [one, 9], [one, 10], [one, 11], [two, 0]] as const) {
    mkdirSync(join(files.logPath(of, 'c', attempt), '..'), { recursive: true })
    writeFileSync(files.logPath(of, 'c', attempt), '')
  }
  files.writeOwn(pod(), [])
  files.trimLogs(one, 'c', 11)
  expect(files.loggedAttempts(one, 'c')).toEqual([11, 10])
  files.keepOnly([one])
  expect(files.loggedAttempts(two, 'c')).toEqual([])
  files.drop(one)
  expect(['pods', 'logs'].map((name) => readdirSync(join(dir, 'agent', name)))).toEqual([[], []])
})

import { describe, expect, test } from 'vitest'
import { type CgroupLayout, groupDirs, parseLayout, planCgroup } from './cgroups.ts'

const line = (path: string, type: string, options: string): string =>
  `30 23 0:26 / ${path} rw,relatime shared:9 - ${type} ${type} rw,${options}`
const oneHierarchyEach = [
  line('/', 'ext4', 'discard'),
  line('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'cpu,cpuacct'),
  line('/sys/fs/cgroup/memory', 'cgroup', 'memory'),
  line('/other/memory', 'cgroup', 'memory'),
  line('/sys/fs/cgroup/pids', 'cgroup', 'pids'),
  line('/sys/fs/cgroup/devices', 'cgroup', 'devices'),
  line('/sys/fs/cgroup/systemd', 'cgroup', 'xattr,name=systemd'),
  line('/sys/fs/cgroup/unified', 'cgroup2', 'nsdelegate'),
].join('\n')

describe('where control groups are', () => {
  test('version 1: each hierarchy once, also the empty version 2 beside it', () => {
    const layout = parseLayout(oneHierarchyEach) as CgroupLayout & { version: 1 }
    expect(layout.version).toBe(1)
    expect(layout.mounts.map((mount) => mount.path)).toEqual([
      '/sys/fs/cgroup/cpu,cpuacct',
      '/sys/fs/cgroup/memory',
      '/sys/fs/cgroup/pids',
      '/sys/fs/cgroup/devices',
      '/sys/fs/cgroup/systemd',
      '/sys/fs/cgroup/unified',
    ])
    expect(groupDirs(layout, '/wherry-lab/node1')).toEqual([
      '/sys/fs/cgroup/cpu,cpuacct/wherry-lab/node1',
      '/sys/fs/cgroup/memory/wherry-lab/node1',
      '/sys/fs/cgroup/pids/wherry-lab/node1',
    ])
  })

  test('version 2: one mount', () => {
    const layout = parseLayout(line('/sys/fs/cgroup', 'cgroup2', 'nsdelegate'))
    expect(layout).toEqual({ version: 2, mount: '/sys/fs/cgroup' })
    expect(groupDirs(layout, '/wherry-lab/node1')).toEqual(['/sys/fs/cgroup/wherry-lab/node1'])
  })

  test('none at all is an error with the way out', () => {
    expect(() => parseLayout(line('/', 'ext4', 'discard'))).toThrow('no control groups')
  })
})

describe("the steps that make a node's group", () => {
  test('version 1: its two children in every measured hierarchy', () => {
    const layout: CgroupLayout = {
      version: 1,
      mounts: [
        { controllers: ['memory'], path: '/m' },
        { controllers: ['devices'], path: '/d' },
        { controllers: ['pids'], path: '/p' },
      ],
    }
    expect(planCgroup(layout, '/lab/node1').map((step) => `${step.kind} ${step.path}`)).toEqual([
      'mkdir /m/lab/node1/system',
      'mkdir /m/lab/node1/pods',
      'mkdir /p/lab/node1/system',
      'mkdir /p/lab/node1/pods',
    ])
  })

  test('version 2: controllers are handed down level by level, to pods but not to the leaf with processes in it', () => {
    expect(planCgroup({ version: 2, mount: '/c' }, '/lab/node1').map((step) => `${step.kind} ${step.path}`)).toEqual([
      'enable /c',
      'mkdir /c/lab',
      'enable /c/lab',
      'mkdir /c/lab/node1',
      'enable /c/lab/node1',
      'mkdir /c/lab/node1/system',
      'mkdir /c/lab/node1/pods',
      'enable /c/lab/node1/pods',
    ])
  })
})

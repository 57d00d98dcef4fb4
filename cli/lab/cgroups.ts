/** The lab's control groups, in both versions of the kernel's interface (cgroups(7)). */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, sleep } from '../../api/clock.ts'
import { CliError } from '../error.ts'

/** Where the hierarchies are mounted. A mixed machine (controllers in version 1, an empty version 2 beside) counts as version 1. */
export type CgroupLayout =
  | { readonly version: 1; /** every hierarchy with a controller or a name */ readonly mounts: readonly CgroupMount[] }
  | { readonly version: 2; readonly mount: string }

export interface CgroupMount {
  readonly controllers: readonly string[]
  readonly path: string
}

/** The controllers by which a node is measured; the group is made in their hierarchies. */
const measured = ['cpuacct', 'memory', 'pids'] as const
const delegated = ['cpuset', 'cpu', 'io', 'memory', 'pids'] as const

/** @param mountinfo text of /proc/self/mountinfo @throws CliError SETUP where no cgroups are mounted */
export function parseLayout(mountinfo: string): CgroupLayout {
  const mounts = mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ')
      const [type = '', , options = ''] = after.split(' ')
      return { path: before.split(' ')[4] ?? '', type, options: options.split(',') }
    })
  const second = mounts.find((mount) => mount.type === 'cgroup2')
  const first = mounts.filter((mount) => mount.type === 'cgroup')
  if (first.some((mount) => mount.options.includes('memory'))) {
    const seen = new Map<string, CgroupMount>()
    const flags = new Set(['rw', 'ro', 'relatime', 'xattr', 'noprefix', 'clone_children'])
    for (const { path, options } of first) {
      const controllers = options.filter((option) => !flags.has(option) && !option.startsWith('release_agent='))
      const key = controllers.toSorted().join(',')
      if (!seen.has(key)) seen.set(key, { controllers, path })
    }
    // runc makes groups in an empty version 2 hierarchy as well.
    return { version: 1, mounts: [...seen.values(), ...(second ? [{ controllers: [], path: second.path }] : [])] }
  }
  if (second) return { version: 2, mount: second.path }
  throw new CliError(
    'SETUP',
    'no control groups are mounted on this machine',
    'mount them: `mount -t cgroup2 none /sys/fs/cgroup`',
  )
}

/** What is done for one group, in order. */
export type CgroupStep =
  | { readonly kind: 'mkdir'; readonly path: string }
  | {
      readonly kind: 'enable'
      /** a cgroup.subtree_control, given what cgroup.controllers beside it offers */ readonly path: string
    }

/** The steps that make `group` (an absolute cgroup path) with its two children `system` and `pods`. All are idempotent. */
export function planCgroup(layout: CgroupLayout, group: string): readonly CgroupStep[] {
  if (layout.version === 1) {
    return measuredMounts(layout).flatMap((mount) => [
      { kind: 'mkdir', path: join(mount.path, group, 'system') },
      { kind: 'mkdir', path: join(mount.path, group, 'pods') },
    ])
  }
  const parts = group.split('/').filter((part) => part !== '')
  const ancestors = parts.map((_, i) => join(layout.mount, ...parts.slice(0, i + 1)))
  return [
    { kind: 'enable', path: layout.mount },
    ...ancestors.flatMap((path): readonly CgroupStep[] => [
      { kind: 'mkdir', path },
      { kind: 'enable', path },
    ]),
    { kind: 'mkdir', path: join(layout.mount, group, 'system') },
    { kind: 'mkdir', path: join(layout.mount, group, 'pods') },
    { kind: 'enable', path: join(layout.mount, group, 'pods') },
  ]
}

export function takeCgroupSteps(steps: readonly CgroupStep[]): void {
  for (const step of steps) {
    if (step.kind === 'mkdir') mkdirSync(step.path, { recursive: true })
    else enable(step.path)
  }
}

/** The directories of a group, one for each hierarchy that has it measured. */
export function groupDirs(layout: CgroupLayout, group: string): readonly string[] {
  if (layout.version === 2) return [join(layout.mount, group)]
  return measuredMounts(layout).map((mount) => join(mount.path, group))
}

/** Puts a process, and with it all that it starts later, into a group. */
export function enterGroup(layout: CgroupLayout, group: string, pid: number): void {
  for (const dir of groupDirs(layout, group)) writeFileSync(join(dir, 'cgroup.procs'), `${pid}`)
}

/** Every process in the group or below it, in any hierarchy. */
export function groupMembers(layout: CgroupLayout, group: string): readonly number[] {
  const members = new Set<number>()
  for (const dir of allDirs(layout, group)) {
    for (const pid of readText(join(dir, 'cgroup.procs')).split('\n')) if (pid !== '') members.add(Number(pid))
  }
  return [...members].toSorted((a, b) => a - b)
}

/** Every directory of the group that there is, deepest first, in all hierarchies (container runtimes make them in each). */
export function allDirs(layout: CgroupLayout, group: string): readonly string[] {
  const roots = layout.version === 2 ? [layout.mount] : layout.mounts.map((mount) => mount.path)
  return roots.flatMap((root) => below(join(root, group)))
}

export interface EmptyOptions {
  readonly kill: (pid: number) => void
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** Kills what is left in the group and removes it. @returns whether nothing of it is left */
export async function removeGroup(layout: CgroupLayout, group: string, options: EmptyOptions): Promise<boolean> {
  const until = options.clock.now() + options.timeoutMs
  for (;;) {
    for (const pid of groupMembers(layout, group)) options.kill(pid)
    for (const dir of allDirs(layout, group)) removeDir(dir)
    if (allDirs(layout, group).length === 0) return true
    if (options.clock.now() >= until) return false
    await sleep(options.clock, 50, options.signal)
  }
}

function measuredMounts(layout: CgroupLayout & { version: 1 }): readonly CgroupMount[] {
  return layout.mounts.filter((mount) => measured.some((controller) => mount.controllers.includes(controller)))
}

function enable(dir: string): void {
  const offered = new Set(readText(join(dir, 'cgroup.controllers')).trim().split(' '))
  const wanted = delegated.filter((controller) => offered.has(controller))
  if (wanted.length === 0) return
  writeFileSync(join(dir, 'cgroup.subtree_control'), wanted.map((controller) => `+${controller}`).join(' '))
}

function below(dir: string): readonly string[] {
  try {
    const children = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return [...children.flatMap((entry) => below(join(dir, entry.name))), dir]
  } catch {
    return []
  }
}

/** A group that still has a dying process cannot go yet; the caller comes again. */
function removeDir(dir: string): void {
  try {
    rmdirSync(dir)
  } catch {
    // EBUSY or gone: the caller looks again
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

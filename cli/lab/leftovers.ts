/** What is still there of a lab: looked for everywhere where a lab leaves something. */
import { existsSync, readFileSync } from 'node:fs'
import { mountsBelow } from '../../api/mountinfo.ts'
import type { Exec } from '../exec.ts'
import { allDirs, parseLayout } from './cgroups.ts'
import { type LabMemory, observeRoot, type RootNetwork } from './memory.ts'
import { labNamespaces } from './namespaces.ts'
import type { LabPlan } from './plan.ts'
import type { Identity, Processes } from './process.ts'

export interface Leftover {
  readonly kind: 'process' | 'mount' | 'namespace' | 'cgroup' | 'directory' | 'link' | 'table'
  readonly name: string
}

/** What `down` says it has looked at. */
export const looksAt =
  'processes, mounts, network namespaces, control groups, directories, links and nftables tables of the machine'

export interface LookOptions {
  readonly plan: LabPlan
  readonly memory: LabMemory | undefined
  /** Processes that belonged to the lab. */
  readonly known: readonly Identity[]
  readonly processes: Processes
  readonly exec: Exec
  readonly signal: AbortSignal
}

export async function findLeftovers(options: LookOptions): Promise<readonly Leftover[]> {
  const { plan, memory, known, processes, exec, signal } = options
  const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')
  const found: readonly (readonly [Leftover['kind'], readonly string[]])[] = [
    ['process', known.filter((identity) => processes.isAlive(identity)).map((identity) => String(identity.pid))],
    ['mount', mountsBelow(mountinfo, [plan.stateDir, plan.runDir])],
    ['namespace', labNamespaces(plan)],
    ['cgroup', allDirs(parseLayout(mountinfo), plan.cgroup)],
    ['directory', [plan.stateDir, plan.runDir].filter((dir) => existsSync(dir))],
    ...(memory ? rootDifferences(plan, memory.before, await observeRoot(exec, signal)) : []),
  ]
  return found.flatMap(([kind, names]) => names.map((name) => ({ kind, name })))
}

/** Links and tables in the machine's own namespace that were not there before the lab and look like the lab's. Pure. */
export function rootDifferences(
  plan: LabPlan,
  before: RootNetwork,
  now: RootNetwork,
): readonly (readonly ['link' | 'table', readonly string[]])[] {
  const ours = new Set([plan.switch.bridge, plan.hub.switchPort, ...plan.nodes.map((node) => node.switchPort)])
  const links = now.links.filter((link) => !before.links.includes(link) && (ours.has(link) || link.startsWith(plan.name)))
  const tables = now.tables.filter((table) => !before.tables.includes(table) && / wherry\b/.test(table))
  return [
    ['link', links],
    ['table', tables],
  ]
}

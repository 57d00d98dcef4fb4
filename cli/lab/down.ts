/** `wherry down`: takes a lab away, whatever state it is in, and then looks whether anything of it is left. */
import { existsSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { mountsBelow } from '../../api/mountinfo.ts'
import { CliError } from '../error.ts'
import type { Steps } from '../progress.ts'
import { groupMembers, parseLayout, removeGroup } from './cgroups.ts'
import { type ChildSpec, readCharge } from './children.ts'
import { answers, dropBundles, killContainers } from './containerd.ts'
import { findLeftovers, looksAt } from './leftovers.ts'
import { type LabMemory, type LabWish, recallPlan } from './memory.ts'
import { labNamespaces, listNamespaces, takeSteps } from './namespaces.ts'
import { planRemoval } from './network.ts'
import { recordsOf } from './nursery.ts'
import { isOurNamespace, type LabPlan } from './plan.ts'
import { requireRoot } from './preflight.ts'
import { endProcess, type Identity } from './process.ts'
import { holdLab } from './records.ts'
import { type LabDeps, releaseChildren } from './start.ts'

/** @throws CliError EXEC_FAILED with a list if something is left */
export async function labDown(wish: LabWish, steps: Steps, deps: LabDeps): Promise<void> {
  requireRoot(process.platform, process.getuid?.())
  const { plan, memory } = recallPlan(wish)
  if (!isThere(plan)) return steps.say(`There is no lab here (${plan.name}): nothing to take down.`)
  holdLab(plan.runDir, deps.processes)
  const namespaces = labNamespaces(plan)
  const known = knownProcesses(plan, namespaces, deps)
  await endLife(plan, known, steps, deps)
  await clearGround(plan, steps, deps)
  await steps.step('nothing is left', () => check(plan, memory, known, deps))
}

/** Whether there is anything of a lab, even a little. */
export function isThere(plan: LabPlan): boolean {
  const layout = parseLayout(readFileSync('/proc/self/mountinfo', 'utf8'))
  const groups = layout.version === 2 ? [layout.mount] : layout.mounts.map((mount) => mount.path)
  return (
    [plan.stateDir, plan.runDir, ...groups.map((mount) => mount + plan.cgroup)].some((path) => existsSync(path)) ||
    listNamespaces().some((name) => isOurNamespace(plan, name))
  )
}

/** Recorded processes, those in the lab's control groups, and those that live in its namespaces. */
function knownProcesses(plan: LabPlan, namespaces: readonly string[], { processes }: LabDeps): readonly Identity[] {
  const layout = parseLayout(readFileSync('/proc/self/mountinfo', 'utf8'))
  const spaces = new Set(namespaces.map((name) => `net:[${statSync(`/run/netns/${name}`).ino}]`))
  const pids = new Set([
    ...groupMembers(layout, plan.cgroup),
    ...processes.all().filter((pid) => pid !== process.pid && spaces.has(processes.network(pid) ?? '')),
  ])
  const living = [...pids].map((pid) => processes.identify(pid)).filter((identity) => identity !== undefined)
  return [
    ...recordsOf(plan.runDir)
      .all()
      .filter((record) => !pids.has(record.pid)),
    ...living,
  ]
}

/** Agents end first so that none restarts a container; containers end while their containerd still lives. */
async function endLife(plan: LabPlan, known: readonly Identity[], steps: Steps, deps: LabDeps): Promise<void> {
  const { exec, signal } = deps
  await steps.step('supervisor and agents', async () => {
    await releaseChildren(plan, deps)
    await endKind('agent', plan, deps)
  })
  await steps.step('containers', async () => {
    await Promise.all(
      plan.nodes.map(async (node) => {
        if (await answers(node, exec, signal)) await killContainers(node, exec, signal)
      }),
    )
  })
  await steps.step('containerd and hub', async () => {
    await endKind('containerd', plan, deps)
    await endKind('hub', plan, deps)
    await Promise.all(known.map((identity) => endProcess(identity, { ...deps, graceMs: 1_000 })))
    await dropBundles(
      plan.nodes.map((node) => node.containerd.state),
      exec,
      signal,
    )
  })
}

async function endKind(kind: ChildSpec['kind'], plan: LabPlan, deps: LabDeps): Promise<void> {
  const records = recordsOf(plan.runDir)
  const children = charged(plan).filter((child) => child.kind === kind)
  await Promise.all(
    children.map(async (child) => {
      const record = records.read(child.name)
      if (record) await endProcess(record, { ...deps, graceMs: child.graceMs })
    }),
  )
}

function charged(plan: LabPlan): readonly ChildSpec[] {
  try {
    return readCharge(plan.runDir).children
  } catch {
    // A lab whose `up` did not come that far, or whose /run is of an earlier boot.
    return []
  }
}

async function clearGround(plan: LabPlan, steps: Steps, deps: LabDeps): Promise<void> {
  const { exec, signal, clock } = deps
  await steps.step('control groups', async () => {
    const layout = parseLayout(readFileSync('/proc/self/mountinfo', 'utf8'))
    await removeGroup(layout, plan.cgroup, { kill: (pid) => kill(pid, deps), clock, signal, timeoutMs: 10_000 })
  })
  await steps.step('mounts', async () => {
    for (const mount of mountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), [plan.stateDir, plan.runDir])) {
      await exec.tryRun(['umount', '--lazy', mount], { signal, timeoutMs: 10_000 })
    }
  })
  await steps.step('network namespaces', async () => {
    const ours = labNamespaces(plan)
    // Pods' first: once a node's namespace is gone, nothing tells whose they were.
    await takeSteps(planRemoval(ours.toReversed()), exec, signal)
    return `${ours.length}`
  })
  await steps.step('directories', async () => {
    for (const dir of [plan.stateDir, plan.runDir]) {
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 })
      removeIfEmpty(dirname(dir))
    }
    // Shared with the machine's own containerd, so only where there is none.
    if (!existsSync('/run/containerd/containerd.sock')) for (const dir of sharedDirs) removeIfEmpty(dir)
  })
}

/** Where shims and runc keep sockets and state, whichever containerd they serve; deepest first. */
const sharedDirs = [
  '/run/containerd/s',
  '/run/containerd/runc/wherry',
  '/run/containerd/runc',
  '/run/containerd/fifo',
  '/run/containerd',
]

async function check(plan: LabPlan, memory: LabMemory | undefined, known: readonly Identity[], deps: LabDeps): Promise<string> {
  const left = await findLeftovers({ plan, memory, known, ...deps })
  if (left.length === 0) return `looked at ${looksAt}`
  const list = left.map(({ kind, name }) => `${kind} ${name}`).join(', ')
  throw new CliError(
    'EXEC_FAILED',
    `still there: ${list}`,
    'run `wherry down` once more; if it stays, end what holds it (`fuser -vm PATH`, `ip netns pids NAME`)',
  )
}

function kill(pid: number, { processes }: LabDeps): void {
  const identity = processes.identify(pid)
  if (identity) processes.signal(identity, 'SIGKILL')
}

/** Other things may be there. */
function removeIfEmpty(dir: string): void {
  try {
    rmdirSync(dir)
  } catch {
    // not empty, or not there
  }
}

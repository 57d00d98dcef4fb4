/** Brings a lab's processes to life: supervisor, hub, joined nodes, images. Each function is idempotent. */
import { copyFileSync, chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../api/clock.ts'
import type { CliConfig } from '../config.ts'
import type { Exec } from '../exec.ts'
import { createHubClient, type HubClient } from '../hub.ts'
import { hasCredentials, joinNode, publicKeyHash } from '../join.ts'
import { readKubeconfig } from '../kubeconfig.ts'
import { waitFor } from '../wait.ts'
import { type ChildSpec, readCharge, writeCharge } from './children.ts'
import { answers, importImage } from './containerd.ts'
import { requireFreePort } from './listener.ts'
import { recordsOf, supervisorName } from './nursery.ts'
import type { LabPlan } from './plan.ts'
import { endProcess, type Processes, waitForEnd } from './process.ts'

export interface LabDeps {
  readonly exec: Exec
  readonly clock: Clock
  readonly processes: Processes
  readonly config: CliConfig
  readonly signal: AbortSignal
}

/** Starts the supervisor, or a new one where the running one has other children to keep. The children go on meanwhile. */
export async function startSupervisor(
  plan: LabPlan,
  children: readonly ChildSpec[],
  deps: LabDeps,
): Promise<'started' | 'runs already'> {
  const { exec, processes, config, clock, signal } = deps
  const records = recordsOf(plan.runDir)
  const changed = writeCharge({ runDir: plan.runDir, port: plan.port, children })
  const running = records.read(supervisorName)
  if (running && processes.isAlive(running)) {
    if (!changed) return 'runs already'
    await releaseChildren(plan, deps)
  }
  const hub = records.read('hub')
  if (!hub || !processes.isAlive(hub)) requireFreePort(plan.port)
  mkdirSync(plan.logDir, { recursive: true, mode: 0o700 })
  const log = join(plan.logDir, 'supervisor.log')
  const argv = [...config.node, join(config.root, 'cli/main.ts'), 'lab', 'supervise', '--run-dir', plan.runDir]
  const started = await exec.detach(argv, { log })
  started.release()
  await waitFor('the supervisor', async () => (records.read(supervisorName)?.pid === started.pid ? started : undefined), {
    clock,
    signal,
    timeoutMs: 15_000,
    everyMs: 20,
    advice: `read ${log}`,
  })
  return 'started'
}

/** Ends the supervisor alone; what it kept alive lives on. */
export async function releaseChildren(plan: LabPlan, deps: LabDeps): Promise<void> {
  const running = recordsOf(plan.runDir).read(supervisorName)
  if (!running) return
  deps.processes.signal(running, 'SIGUSR2')
  if (!(await waitForEnd(running, 5_000, deps))) deps.processes.signal(running, 'SIGKILL')
  await waitForEnd(running, 5_000, deps)
  recordsOf(plan.runDir).drop(supervisorName)
}

/**
 * Ends children that are not what the plan says: in a namespace that somebody deleted and `up` made anew, or with another command
 * than they would have now. The supervisor starts them again, as they should be.
 */
export async function restartStrays(plan: LabPlan, deps: LabDeps): Promise<readonly string[]> {
  const records = recordsOf(plan.runDir)
  const strays = readCharge(plan.runDir).children.filter((child) => {
    const record = records.read(child.name)
    if (!record || !child.namespace || !deps.processes.isAlive(record)) return false
    const command = deps.processes.command(record.pid)?.join(' ') ?? ''
    const isElsewhere = deps.processes.network(record.pid) !== `net:[${statSync(`/run/netns/${child.namespace}`).ino}]`
    // Without what put it into its namespace: that is gone once it runs.
    return isElsewhere || !child.argv.join(' ').endsWith(command)
  })
  await Promise.all(strays.map((child) => endProcess(records.read(child.name)!, { ...deps, graceMs: child.graceMs })))
  return strays.map((child) => child.name)
}

/** Waits until the hub answers, and puts its kubeconfig where people find it. */
export async function reachHub(plan: LabPlan, deps: LabDeps): Promise<HubClient> {
  const advice = `read ${join(plan.logDir, 'hub.log')}`
  const source = join(plan.hub.dataDir, 'admin.kubeconfig')
  return waitFor(
    'the hub to answer',
    async () => {
      const hub = createHubClient(readKubeconfig(source))
      try {
        await hub.text('/readyz', deps.signal)
      } catch (error) {
        hub.close()
        throw error
      }
      copyFileSync(source, plan.kubeconfig)
      chmodSync(plan.kubeconfig, 0o600)
      return hub
    },
    { ...deps, timeoutMs: 30_000, advice },
  )
}

/** Joins every node that has no credentials of this hub. @returns their names */
export async function joinNodes(plan: LabPlan, deps: LabDeps): Promise<readonly string[]> {
  const ca = readFileSync(join(plan.hub.dataDir, 'pki/ca.crt'), 'utf8')
  const token = readFileSync(join(plan.hub.dataDir, 'join-token'), 'utf8').trim()
  const strangers = plan.nodes.filter((node) => !hasCredentials(node.credentialsDir, node.name, ca, deps.clock.now()))
  const records = recordsOf(plan.runDir)
  for (const node of strangers) {
    await joinNode({
      url: `https://127.0.0.1:${plan.port}`,
      hub: `https://${plan.hub.address}:6443`,
      token,
      caHash: publicKeyHash(ca),
      node: node.name,
      dir: node.credentialsDir,
      signal: deps.signal,
    })
    // An agent that runs with credentials of an earlier hub reads the new ones when it starts again.
    const agent = records.read(`agent-${node.name}`)
    if (agent) await endProcess(agent, { ...deps, graceMs: 10_000 })
  }
  return strangers.map((node) => node.name)
}

/** Gives every node the demo's image. @param build makes the OCI archive @returns how many nodes lacked it */
export async function provideImage(plan: LabPlan, image: string, build: () => Uint8Array, deps: LabDeps): Promise<number> {
  const archive = join(plan.stateDir, 'image.tar')
  let built = false
  const given = await Promise.all(
    plan.nodes.map(async (node) => {
      const advice = `read ${join(plan.logDir, `containerd-${node.name}.log`)}`
      await waitFor(
        `containerd of ${node.name}`,
        async () => ((await answers(node, deps.exec, deps.signal)) ? node : undefined),
        {
          ...deps,
          timeoutMs: 60_000,
          advice,
        },
      )
      if (!built) writeFileSync(archive, build())
      built = true
      return importImage(node, { name: image, archive }, deps.exec, deps.signal)
    }),
  )
  return given.filter(Boolean).length
}

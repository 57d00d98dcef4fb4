/** `wherry up`: builds a lab, or what is missing of it, runs the demo on it and proves that it works. */
import { readFileSync } from 'node:fs'
import { liveOn, marksOf, readCluster } from '../cluster.ts'
import { CliError } from '../error.ts'
import type { HubClient } from '../hub.ts'
import type { Steps } from '../progress.ts'
import { nodeRules } from '../rules.ts'
import { onlyService } from '../ruleset/only.ts'
import { parseLayout, planCgroup, takeCgroupSteps } from './cgroups.ts'
import { planChildren } from './children.ts'
import { writeContainerdConfigs } from './containerd.ts'
import { applyDemo, askAll, awaitNodes, awaitPods, awaitRules, demo } from './demo.ts'
import { buildEchoImage } from './image/image.ts'
import { matrixTable } from './matrix.ts'
import { type LabWish, observeRoot, recallPlan, writeMemory } from './memory.ts'
import { buildNetwork } from './namespaces.ts'
import type { LabPlan } from './plan.ts'
import { findProgram, requireMode, requirePrograms, requireRoot } from './preflight.ts'
import { holdLab } from './records.ts'
import { joinNodes, type LabDeps, provideImage, reachHub, restartStrays, startSupervisor } from './start.ts'

/** @throws CliError; with EXEC_FAILED if the demo's answers are not all right */
export async function labUp(wish: LabWish, steps: Steps, deps: LabDeps): Promise<void> {
  requireRoot(process.platform, process.getuid?.())
  const { plan, memory } = recallPlan(wish)
  requirePrograms(deps.config.path, plan.proxyMode)
  await requireMode(plan.proxyMode, deps)
  const letGo = holdLab(plan.runDir, deps.processes)
  try {
    writeMemory(plan, memory?.before ?? (await observeRoot(deps.exec, deps.signal)))
    await ground(plan, steps, deps)
    const hub = await life(plan, steps, deps)
    try {
      await proof(plan, hub, steps, deps)
    } finally {
      hub.close()
    }
  } finally {
    letGo()
  }
}

/** What stands still: namespaces, links, cgroups, files. */
async function ground(plan: LabPlan, steps: Steps, deps: LabDeps): Promise<void> {
  await steps.step('network', async () => {
    const taken = await buildNetwork(plan, deps.exec, deps.signal)
    const nodes = plan.nodes.length === 1 ? '1 node' : `${plan.nodes.length} nodes`
    return `${nodes}, hub and switch on 198.18.0.0/24 (${taken === 0 ? 'nothing to do' : `${taken} steps`})`
  })
  await steps.step('control groups', async () => {
    const layout = parseLayout(readFileSync('/proc/self/mountinfo', 'utf8'))
    for (const group of [`${plan.cgroup}/hub`, ...plan.nodes.map((node) => node.cgroup)])
      takeCgroupSteps(planCgroup(layout, group))
    return `version ${layout.version}, below ${plan.cgroup}`
  })
  writeContainerdConfigs(plan)
}

/** What runs: supervisor, hub, containerds, agents. */
async function life(plan: LabPlan, steps: Steps, deps: LabDeps): Promise<HubClient> {
  await steps.step('supervisor', async () => {
    const how = await startSupervisor(plan, planChildren(plan, deps.config), deps)
    const strays = await restartStrays(plan, deps)
    return strays.length === 0 ? how : `${how}; restarted ${strays.join(', ')}, whose namespace or command had changed`
  })
  const hub = await steps.step('hub answers', () => reachHub(plan, deps))
  await steps.step('nodes joined', async () => (await joinNodes(plan, deps)).join(', ') || 'all before')
  await steps.step('image', async () => {
    const given = await provideImage(plan, demo.image, () => echoImage(deps), deps)
    return `${demo.image} ${given === 0 ? 'is on every node' : `imported into ${given} nodes`}`
  })
  await steps.step('nodes ready', async () => {
    const cluster = await awaitNodes(plan, hub, deps)
    return cluster.nodes.map((node) => node.metadata.name).join(', ')
  })
  return hub
}

/** The demo, the matrix, and the rules that did it. */
async function proof(plan: LabPlan, hub: HubClient, steps: Steps, deps: LabDeps): Promise<void> {
  await steps.step(`kubectl apply -f ${demo.manifest}`, () => applyDemo(plan, deps))
  const place = await steps.step('pods answer', () => awaitPods(plan, hub, deps))
  await steps.step('rules live on every node', () => awaitRules(plan, hub, deps))
  const rows = await steps.step(`asked the service ${demo.name} from everywhere`, () => askAll(plan, place, deps))
  steps.say(`\n${matrixTable(rows)}`)
  const node = plan.nodes[0]!.name
  steps.say(`The rules of ${node} that did it (wherry rules ${node} --service ${demo.namespace}/${demo.name}):\n`)
  steps.say(await demoRules(hub, node, deps.signal))
  const wrong = rows.filter((row) => row.verdict.kind === 'wrong').length
  if (wrong > 0)
    throw new CliError(
      'EXEC_FAILED',
      `${wrong} of ${rows.length} answers were not right`,
      'the cluster is up: see `wherry status` and `wherry rules NODE`',
    )
  steps.say(hints(plan))
}

async function demoRules(hub: HubClient, node: string, signal: AbortSignal): Promise<string> {
  const cluster = await readCluster(hub, signal)
  const service = cluster.services.find(({ metadata }) => metadata.namespace === demo.namespace && metadata.name === demo.name)
  const rules = await nodeRules(hub, node, signal)
  return service && liveOn(cluster, service).length > 0 ? onlyService(rules, marksOf(cluster, service)) : rules
}

/** The demo's image for this machine, of its own busybox. */
export function echoImage(deps: Pick<LabDeps, 'config'>): Uint8Array {
  const busybox = readFileSync(findProgram('busybox', deps.config.path)!)
  return buildEchoImage({ busybox, architecture: process.arch === 'x64' ? 'amd64' : process.arch })
}

function hints(plan: LabPlan): string {
  return [
    `The cluster is up. Next:`,
    ``,
    `  export KUBECONFIG=${plan.kubeconfig}`,
    `  kubectl get nodes,pods,services -o wide`,
    `  kubectl scale deployment/${demo.name} --replicas=5`,
    `  bin/wherry status                       nodes, services, and how far each kernel is`,
    `  bin/wherry explain ${demo.name}                  who gets a service's connections, and by what rules`,
    `  bin/wherry rules node2                  all rules of a node`,
    `  bin/wherry exec node3 -- ip address     a command in a node's network`,
    `  bin/wherry down                         takes everything away again`,
    ``,
    `Logs are in ${plan.logDir}.`,
  ].join('\n')
}

/** Runs the demo on a lab with stock kubectl, and asks the questions of `matrix.ts` from where they must come. */
import { join } from 'node:path'
import { addressOf, type Cluster, isPodReady, isReady, liveOn, readCluster, slicesOf } from '../cluster.ts'
import { CliError } from '../error.ts'
import type { HubClient } from '../hub.ts'
import { waitFor } from '../wait.ts'
import { ctr } from './containerd.ts'
import { echoImageName } from './image/image.ts'
import { type DemoService, judge, type Place, planQuestions, type Question, type ReadyPod, type Row } from './matrix.ts'
import { inside, type LabPlan, nodeOf } from './plan.ts'
import { type Answer, type Target, targetText } from './probe.ts'
import type { LabDeps } from './start.ts'

export const demo = {
  manifest: 'vagrant/demo/web.yaml',
  namespace: 'default',
  name: 'web',
  image: echoImageName,
} as const

/** Waits until every node of the plan is Ready. */
export async function awaitNodes(plan: LabPlan, hub: HubClient, deps: LabDeps): Promise<Cluster> {
  const names = plan.nodes.map((node) => node.name)
  return waitFor(
    `${names.length} ready nodes`,
    async () => {
      const cluster = await readCluster(hub, deps.signal)
      const ready = new Set(cluster.nodes.filter(isReady).map((node) => node.metadata.name))
      const missing = names.filter((name) => !ready.has(name))
      return missing.length === 0 ? cluster : `${missing.join(', ')} not ready`
    },
    { ...deps, timeoutMs: 120_000, advice: `read the agents' logs in ${plan.logDir}` },
  )
}

/** The kubectl command for this lab. */
export function kubectl(plan: LabPlan, ...argv: readonly string[]): readonly string[] {
  return ['kubectl', '--kubeconfig', plan.kubeconfig, '--cache-dir', join(plan.runDir, 'kubectl'), ...argv]
}

/** Applies the demo's manifests and waits until its Deployment is rolled out. @returns kubectl's own lines */
export async function applyDemo(plan: LabPlan, deps: LabDeps): Promise<string> {
  const { exec, signal, config } = deps
  const applied = await exec.run(kubectl(plan, 'apply', '-f', join(config.root, demo.manifest)), { signal, timeoutMs: 60_000 })
  const rollout = kubectl(
    plan,
    'rollout',
    'status',
    `deployment/${demo.name}`,
    '--namespace',
    demo.namespace,
    '--timeout',
    '120s',
  )
  await exec.run(rollout, { signal, timeoutMs: 130_000 })
  return applied.stdout.trim().replaceAll(/\s*\n\s*/g, ', ')
}

/** Waits until every node's kernel has the demo's service as it is now. */
export async function awaitRules(plan: LabPlan, hub: HubClient, deps: LabDeps): Promise<Cluster> {
  return waitFor(
    'the rules to be live on every node',
    async () => {
      const cluster = await readCluster(hub, deps.signal)
      const service = cluster.services.find(
        ({ metadata }) => metadata.namespace === demo.namespace && metadata.name === demo.name,
      )
      if (!service) return `there is no service ${demo.name}`
      const routed = slicesOf(cluster, service).flatMap((slice) => (slice.endpoints ?? []).filter((e) => e.conditions?.ready).map((e) => e.addresses[0]))
      const missing = placeOf(cluster, plan).pods.find((pod) => !routed.includes(pod.address))
      if (missing) return `${missing.name} is not among the endpoints`
      const live = liveOn(cluster, service).length
      return live >= plan.nodes.length ? cluster : `live on ${live} of ${plan.nodes.length} nodes`
    },
    { ...deps, timeoutMs: 60_000, advice: `see \`wherry status\`, and the agents' logs in ${plan.logDir}` },
  )
}

/**
 * Waits until every pod answers at its own address, so that what the matrix finds wrong is the routing. The pods are looked up
 * at each attempt: those of a node that was mended move to another address.
 */
export async function awaitPods(plan: LabPlan, hub: HubClient, deps: LabDeps): Promise<Place> {
  return waitFor(
    'the pods to answer',
    async () => {
      const place = placeOf(await readCluster(hub, deps.signal), plan)
      if (place.pods.length === 0) return 'none is ready'
      const answers = await Promise.all(
        place.pods.map(async (pod) => {
          const target = { kind: 'http', host: pod.address, port: 8080 } as const
          return { pod, answer: await askFrom(nodeOf(plan, pod.node).namespace, target, deps) }
        }),
      )
      const silent = answers.find(({ answer }) => answer.kind === 'failed')
      return silent ? `${silent.pod.name} does not answer at ${silent.pod.address}` : place
    },
    { ...deps, timeoutMs: 30_000, everyMs: 250, advice: `see \`kubectl --kubeconfig ${plan.kubeconfig} get pods\`, and their logs` },
  )
}

/** Asks every question once, one after the other. */
export async function askAll(plan: LabPlan, place: Place, deps: LabDeps): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const question of planQuestions(place)) {
    rows.push({ question, verdict: judge(await askQuestion(plan, question, deps), place.pods) })
  }
  return rows
}

/** The demo's service and ready pods, from the cluster's objects. @throws CliError LINK_REFUSED if the manifest's ports are missing */
export function placeOf(cluster: Cluster, plan: LabPlan): Place {
  const pods = cluster.pods.filter(
    (pod) => pod.metadata.labels?.['app'] === demo.name && isPodReady(pod) && !pod.metadata.deletionTimestamp,
  )
  return {
    nodes: plan.nodes.map(({ name, address }) => ({
      name,
      address: addressOf(cluster.nodes.find((node) => node.metadata.name === name) ?? cluster.nodes[0]!) ?? address,
    })),
    pods: pods.map((pod): ReadyPod => ({
      name: pod.metadata.name,
      node: pod.spec?.nodeName ?? '',
      address: pod.status?.podIP ?? '',
      container: (pod.status?.containerStatuses?.[0]?.containerID ?? '').replace(/^containerd:\/\//, ''),
    })),
    service: demoServiceOf(cluster),
  }
}

function demoServiceOf(cluster: Cluster): DemoService {
  const service = cluster.services.find(({ metadata }) => metadata.namespace === demo.namespace && metadata.name === demo.name)
  const http = service?.spec?.ports?.find((port) => (port.protocol ?? 'TCP') === 'TCP')
  const echo = service?.spec?.ports?.find((port) => port.protocol === 'UDP')
  const clusterIP = service?.spec?.clusterIP
  if (!clusterIP || !http?.nodePort || !echo) {
    throw new CliError(
      'LINK_REFUSED',
      `the service ${demo.name} lacks its cluster IP, node port or UDP port`,
      `see ${demo.manifest}, and whether the hub changed it`,
    )
  }
  return { clusterIP, http: { port: http.port, nodePort: http.nodePort }, echo: { port: echo.port } }
}

async function askQuestion(plan: LabPlan, { from, target }: Question, deps: LabDeps): Promise<Answer> {
  switch (from.kind) {
    case 'node':
      return askFrom(nodeOf(plan, from.name).namespace, target, deps)
    case 'hub':
      return askFrom(plan.hub.namespace, target, deps)
    case 'pod':
      return askFromPod(plan, from, target, deps)
  }
}

async function askFrom(namespace: string, target: Target, deps: LabDeps): Promise<Answer> {
  const argv = inside(namespace, [...deps.config.node, join(deps.config.root, 'cli/lab/probe.ts'), targetText(target)])
  const { stdout } = await deps.exec.run(argv, { signal: deps.signal, timeoutMs: 10_000 })
  return JSON.parse(stdout) as Answer
}

/** Of a process that ends at once ctr may lose what it said: it stops copying when the process has ended. */
const mostAsked = 5

/** Asks again where nothing was heard of an answer. */
async function askFromPod(plan: LabPlan, from: AskingPod, target: Target, deps: LabDeps): Promise<Answer> {
  for (let asked = 1; ; asked++) {
    const answer = await askOnceFromPod(plan, from, target, deps)
    if (answer.kind === 'failed' || answer.body !== '' || asked === mostAsked) return answer
  }
}

interface AskingPod {
  readonly node: string
  readonly container: string
}

/** busybox's wget, really inside the pod; the time holds the start of the process. Its own -T crashes in a static build. */
async function askOnceFromPod(plan: LabPlan, from: AskingPod, target: Target, deps: LabDeps): Promise<Answer> {
  const begin = performance.now()
  const id = `matrix-${deps.clock.now().toString(36)}`
  const command = ['wget', '-q', '-O', '-', `http://${target.host}:${target.port}/`]
  const argv = ctr(nodeOf(plan, from.node), 'tasks', 'exec', '--exec-id', id, from.container, ...command)
  const result = await deps.exec.tryRun(argv, { signal: deps.signal, timeoutMs: 10_000 })
  const ms = performance.now() - begin
  if (result.exitCode === 0) return { kind: 'answered', body: result.stdout, ms }
  return { kind: 'failed', reason: result.stderr.trim().split('\n').at(-1) ?? `wget ended with ${result.exitCode}`, ms }
}

/** The processes of a lab as values: what is run, where, in which order they end. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { hubPort, inside, type LabPlan, type NodePlan } from './plan.ts'

/** One process that the supervisor keeps alive. Plain JSON: `up` writes it, the supervisor reads it. */
export interface ChildSpec {
  readonly name: string
  readonly kind: 'hub' | 'containerd' | 'agent'
  readonly argv: readonly string[]
  /** The network namespace that it lives in, if not the machine's own. */
  readonly namespace?: string
  readonly log: string
  /** Cgroup that it is put into. */
  readonly cgroup: string
  /** Files that must be there before it is started. */
  readonly needs: readonly string[]
  /** Whether the listening socket of the API is its descriptor 3. */
  readonly listens: boolean
  /** How long it may take to end when asked. */
  readonly graceMs: number
}

/** What the supervisor is told. */
export interface Charge {
  readonly runDir: string
  readonly port: number
  readonly children: readonly ChildSpec[]
}

/** The order in which kinds end: agents first (containers go on), then their containerds, then the hub. */
export const endOrder: readonly ChildSpec['kind'][] = ['agent', 'containerd', 'hub']

export interface ChildOptions {
  /** The Node program and its flags. */
  readonly node: readonly string[]
  /** The checkout. */
  readonly root: string
}

export function planChildren(plan: LabPlan, options: ChildOptions): readonly ChildSpec[] {
  const hub: ChildSpec = {
    name: 'hub',
    kind: 'hub',
    argv: inside(plan.hub.namespace, hubCommand(plan, options)),
    namespace: plan.hub.namespace,
    log: join(plan.logDir, 'hub.log'),
    cgroup: `${plan.cgroup}/hub/system`,
    needs: [],
    listens: true,
    graceMs: 10_000,
  }
  return [hub, ...plan.nodes.map((node) => containerdOf(plan, node)), ...plan.nodes.map((node) => agentOf(plan, node, options))]
}

function hubCommand(plan: LabPlan, { node, root }: ChildOptions): readonly string[] {
  return [
    ...node,
    smallHeap,
    join(root, 'server/main.ts'),
    ...flags({
      data: plan.hub.dataDir,
      listen: `${plan.hub.address}:${hubPort}`,
      'listen-fd': '3',
      'kubeconfig-server': `https://127.0.0.1:${plan.port}`,
      'tls-san': `127.0.0.1,localhost,${plan.hub.address}`,
      'cluster-cidr': plan.clusterCIDR,
      'service-cidr': plan.serviceCIDR,
    }),
  ]
}

function containerdOf(plan: LabPlan, node: NodePlan): ChildSpec {
  return {
    name: `containerd-${node.name}`,
    kind: 'containerd',
    argv: inside(node.namespace, ['containerd', '--config', node.containerd.config]),
    namespace: node.namespace,
    log: join(plan.logDir, `containerd-${node.name}.log`),
    cgroup: `${node.cgroup}/system`,
    needs: [node.containerd.config],
    listens: false,
    graceMs: 5_000,
  }
}

/**
 * Hub and agent had rather collect garbage more often than hold some 60 MB more (V8). Still less would cost an agent a third of its
 * time where large services change all the time.
 */
export const smallHeap = '--max-semi-space-size=4'

function agentOf(plan: LabPlan, node: NodePlan, { node: program, root }: ChildOptions): ChildSpec {
  const command = [
    ...program,
    smallHeap,
    join(root, 'agent/main.ts'),
    ...flags({
      node: node.name,
      hub: `https://${plan.hub.address}:${hubPort}`,
      credentials: node.credentialsDir,
      state: node.agentDir,
      'containerd-address': node.containerd.socket,
      'cgroup-root': node.cgroup,
      'cluster-cidr': plan.clusterCIDR,
      'service-cidr': plan.serviceCIDR,
      'proxy-mode': plan.proxyMode,
      'usage-from': 'cgroup',
      'netns-prefix': `${node.namespace}-`,
    }),
  ]
  return {
    name: `agent-${node.name}`,
    kind: 'agent',
    argv: inside(node.namespace, command),
    namespace: node.namespace,
    log: join(plan.logDir, `agent-${node.name}.log`),
    cgroup: `${node.cgroup}/system`,
    needs: [join(node.credentialsDir, 'agent.json'), node.containerd.socket],
    listens: false,
    graceMs: 10_000,
  }
}

function flags(values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, value])
}

export function chargeFile(runDir: string): string {
  return join(runDir, 'charge.json')
}

/** @returns whether the file said something else before */
export function writeCharge(charge: Charge): boolean {
  const file = chargeFile(charge.runDir)
  const text = `${JSON.stringify(charge, undefined, 2)}\n`
  if (existing(file) === text) return false
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(`${file}.new`, text, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return true
}

export function readCharge(runDir: string): Charge {
  return JSON.parse(readFileSync(chargeFile(runDir), 'utf8')) as Charge
}

function existing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** What each command does, with everything it may touch given to it. */
import { randomInt } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../api/clock.ts'
import { hubPaths, type KeyChange } from '../api/hub.ts'
import type { Log } from '../api/log.ts'
import { describeCluster, marksOf, readCluster } from './cluster.ts'
import type { CliConfig } from './config.ts'
import { CliError } from './error.ts'
import type { Exec } from './exec.ts'
import { explainTarget, type ExplainOptions } from './explain/answer.ts'
import { createHubClient, type HubClient } from './hub.ts'
import { type AgentIdentity, joinNode } from './join.ts'
import { type HubAccess, readKubeconfig } from './kubeconfig.ts'
import { labDown } from './lab/down.ts'
import { recallPlan, type LabWish } from './lab/memory.ts'
import { listNamespaces } from './lab/namespaces.ts'
import { superviseLab } from './lab/nursery.ts'
import { inside, nodeOf } from './lab/plan.ts'
import { requireRoot } from './lab/preflight.ts'
import type { Processes } from './lab/process.ts'
import type { Farewell } from './lab/supervisor.ts'
import { echoImage, labUp } from './lab/up.ts'
import { serviceNamed } from './named.ts'
import { createSteps } from './progress.ts'
import { nodeRules } from './rules.ts'
import { onlyService } from './ruleset/only.ts'
import { fetchSnapshot } from './snapshot.ts'
import { createJoinToken } from './token.ts'

export interface CommandDeps {
  readonly config: CliConfig
  readonly exec: Exec
  readonly processes: Processes
  readonly clock: Clock
  readonly log: Log
  readonly write: (text: string) => void
  /** Aborts when a person presses Ctrl-C. */
  readonly signal: AbortSignal
  /** Resolves when the supervisor is asked to end. Called only by the supervisor. */
  readonly farewell: () => Promise<Farewell>
  readonly setExitCode: (code: number) => void
}

export interface ClusterWish extends LabWish {
  readonly kubeconfig?: string
}

export interface ExplainWish extends ClusterWish, ExplainOptions {}

export interface TokenWish extends ClusterWish {
  /** Seconds; 0 for ever. */
  readonly ttl: number
  readonly printJoinCommand?: boolean
}

export interface JoinWish {
  readonly token: string
  readonly caCertHash: string
  readonly node?: string
  readonly credentials: string
}

export const agentCredentials = '/var/lib/wherry/agent/credentials'

export function commands(deps: CommandDeps) {
  const { config, exec, clock, write, signal } = deps
  const steps = createSteps({ write, now: () => clock.now(), colour: config.colour })
  /** Runs one of our own mains in the foreground. */
  const lendMain = async (file: string, flags: readonly string[]): Promise<void> =>
    deps.setExitCode(await exec.lend([...config.node, join(config.root, file), ...flags]))

  return {
    up: (wish: LabWish) => labUp(wish, steps, deps),
    down: (wish: LabWish) => labDown(wish, steps, deps),
    image: (file: string) => writeFileSync(file, echoImage(deps)),
    supervise: (runDir: string) => superviseLab(runDir, deps, deps.farewell()),

    async exec(name: string, command: readonly string[], wish: LabWish): Promise<void> {
      requireRoot(process.platform, process.getuid?.())
      if (command.length === 0)
        throw new CliError('USAGE', 'no command is given', 'write it behind the node: wherry exec node1 -- ip address')
      const node = nodeOf(recallPlan(wish).plan, name)
      if (!listNamespaces().includes(node.namespace))
        throw new CliError('USAGE', `the lab does not run: there is no ${node.namespace}`, 'start it with `wherry up`')
      deps.setExitCode(await exec.lend(inside(node.namespace, command)))
    },

    async status(wish: ClusterWish): Promise<void> {
      await withHub(wish, async (hub) => write(describeCluster(await readCluster(hub, signal), hub.server)))
    },

    async rules(node: string | undefined, { service, ...wish }: ClusterWish & { readonly service?: string }): Promise<void> {
      await withHub(wish, async (hub) => {
        const cluster = node !== undefined && service === undefined ? undefined : await readCluster(hub, signal)
        const name = node ?? cluster?.nodes[0]?.metadata.name
        if (name === undefined) throw new CliError('USAGE', 'this cluster has no nodes yet', 'join one: wherry join --help')
        const marks = cluster && service !== undefined ? marksOf(cluster, serviceNamed(cluster, service)) : undefined
        const rules = await nodeRules(hub, name, signal)
        write(marks ? onlyService(rules, marks) : rules)
      })
    },

    async explain(target: string, wish: ExplainWish): Promise<void> {
      await withHub(wish, async (hub) => {
        const { text, served } = await explainTarget(hub, target, wish, signal)
        write(text)
        if (!served) deps.setExitCode(1)
      })
    },

    async snapshot(file: string, wish: ClusterWish): Promise<void> {
      await withHub(wish, async (hub) => {
        const bytes = await fetchSnapshot(hub, file, signal)
        write(`${file} holds everything that ${hub.server} stores (${bytes} bytes).\nSecrets are sealed in it: keep encryption.yaml of the hub's data directory as well, in another place.\nPut it back, while the hub is stopped: wherry restore ${file} --data DIR\n`)
      })
    },

    restore: (file: string, wish: { readonly data: string }) => lendMain('server/main.ts', ['--data', wish.data, '--restore', file]),
    async rotateSecrets(wish: ClusterWish): Promise<void> {
      await withHub(wish, async (hub) => {
        const { key, rewritten } = await hub.post<KeyChange>(hubPaths.secrets, {}, signal)
        write(`secrets are sealed with ${key} now; ${rewritten} values were written anew\n`)
      })
    },

    async createToken(wish: TokenWish): Promise<void> {
      await withHub(wish, async (hub) => {
        const { token, command } = await createJoinToken(hub, { ttlSeconds: wish.ttl, nowMs: clock.now(), ca: accessOf(wish).ca, random: randomInt }, signal)
        write(wish.printJoinCommand === true ? `${command}\n` : `${token}\n`)
      })
    },

    async join(url: string, wish: JoinWish): Promise<void> {
      const node = wish.node ?? hostname().toLowerCase()
      await joinNode({ url, token: wish.token, caHash: wish.caCertHash, node, dir: wish.credentials, signal })
      const flag = wish.credentials === agentCredentials ? '' : ` --credentials ${wish.credentials}`
      write(`${node} has joined ${url}; its credentials are in ${wish.credentials}.\nStart its agent: wherry agent${flag}\n`)
    },

    agent: (flags: readonly string[]) => lendMain('agent/main.ts', agentFlags(flags)),
    hub: (flags: readonly string[]) => lendMain('server/main.ts', flags),
    proxy: (flags: readonly string[]) => lendMain('agent/proxy/main.ts', flags),
  }
}

const accessOf = (wish: ClusterWish): HubAccess => readKubeconfig(wish.kubeconfig ?? recallPlan(wish).plan.kubeconfig)

async function withHub(wish: ClusterWish, act: (hub: HubClient) => Promise<void>): Promise<void> {
  const hub = createHubClient(accessOf(wish))
  try {
    await act(hub)
  } finally {
    hub.close()
  }
}

/** What `wherry join` wrote goes first; a flag that is given again wins. */
export function agentFlags(flags: readonly string[]): readonly string[] {
  if (flags.includes('--help') || flags.includes('-h')) return flags
  const given = flags[flags.indexOf('--credentials') + 1]
  const dir = flags.includes('--credentials') && given !== undefined ? given : agentCredentials
  try {
    const identity = JSON.parse(readFileSync(join(dir, 'agent.json'), 'utf8')) as AgentIdentity
    return ['--credentials', dir, '--node', identity.node, '--hub', identity.hub, ...flags]
  } catch {
    if (flags.includes('--node') && flags.includes('--hub')) return flags
    throw new CliError(
      'USAGE',
      `this machine is not a node yet: there is no ${dir}/agent.json`,
      'run `wherry join` first, or give --node, --hub and --credentials',
    )
  }
}

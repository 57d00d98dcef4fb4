/**
 * The stage of the benchmark: one network namespace with a real hub, a real agent (services only), and a responder that
 * answers on every pod address. Lives inside that namespace; everything it starts ends with it.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { joinNode, publicKeyHash } from '../../cli/join.ts'
import type { ModeName } from '../../rules/mode.ts'
import { createApi, type Api } from '../kit/api.ts'
import { waitFor } from '../kit/wait.ts'
import { ask } from './ask.ts'
import { ownNode, podsOf, populate, responderPort, vipOf, type Pod } from './cluster.ts'
import { startMember, type Member } from './member.ts'

const root = resolve(import.meta.dirname, '../..')
const flags = ['--experimental-ffi', '--disable-warning=ExperimentalWarning']
/** As cli/lab/children.ts and bin/wherry start an agent. */
const agentFlags = ['--max-semi-space-size=1']

export const hubUrl = 'https://127.0.0.1:6443'

export interface AgentOptions {
  /** The real hub by default. */
  readonly hub?: string
  readonly mode?: ModeName
}

export interface Stage {
  readonly dir: string
  readonly api: Api
  /** How many services there are. */
  readonly services: number
  /** Makes more of them. */
  grow(services: number, pods?: (i: number) => readonly Pod[]): Promise<void>
  readonly hub: Member
  /** Starts another one on the same data; the old one must have ended. */
  startHub(): Promise<void>
  /** The last one that was started. @throws Error if there is none */
  readonly agent: Member
  startAgent(options?: AgentOptions): Member
  /** An agent of the real hub that serves: the one that runs, or another. */
  serving(): Promise<Member>
  /** Ends the agent and takes its rules away. */
  clear(): Promise<void>
  /** A program of this folder. */
  run(file: string, ...args: readonly string[]): Member
  /** The PEM text of a file that the hub made. */
  pem(name: string): string
  close(): Promise<void>
}

export async function openStage(): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), 'wherry-bench-'))
  const members: Member[] = []
  let services = 0
  let hub: Member
  let agent: { readonly member: Member; readonly ownHub: boolean } | undefined

  const start = (...args: readonly string[]): Member => {
    const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/wherry') }
    const member = startMember({ command: process.execPath, args: [...flags, ...args], cwd: root, env })
    members.push(member)
    return member
  }
  const startHub = async (): Promise<void> => {
    hub = start('server/main.ts', '--data', join(dir, 'hub'), '--listen', '127.0.0.1:6443', '--log-level', 'info')
    await hub.said('the hub is serving')
  }
  const close = async (): Promise<void> => {
    await Promise.all(members.map((m) => m.stop()))
    rmSync(dir, { recursive: true, force: true })
  }
  const pem = (name: string): string => readFileSync(join(dir, 'hub', 'pki', name), 'utf8')
  const joinHub = (): Promise<void> =>
    joinNode({
      url: hubUrl,
      token: readFileSync(join(dir, 'hub', 'join-token'), 'utf8').trim(),
      caHash: publicKeyHash(pem('ca.crt')),
      node: ownNode,
      dir: join(dir, ownNode),
      signal: AbortSignal.timeout(30_000),
    })
  const startAgent = ({ hub: url = hubUrl, mode = 'nftables' }: AgentOptions = {}): Member => {
    const program = [...agentFlags, 'agent/main.ts', '--node', ownNode, '--hub', url, '--credentials', join(dir, ownNode)]
    const member = start(...program, '--state', join(dir, 'agent'), '--services-only', '--proxy-mode', mode)
    agent = { member, ownHub: url === hubUrl }
    return member
  }

  try {
    await Promise.all([startHub(), start('test/bench/responder.ts', String(responderPort)).said('listening')])
    await joinHub()
  } catch (e) {
    await close()
    throw e
  }
  const api = createApi({ url: hubUrl, tls: { ca: pem('ca.crt'), cert: pem('admin.crt'), key: pem('admin.key') } })
  return {
    dir,
    api,
    get services() {
      return services
    },
    async grow(to, pods = podsOf) {
      await populate(api, services, to, pods)
      services = Math.max(services, to)
    },
    get hub() {
      return hub
    },
    startHub,
    get agent() {
      if (!agent) throw new Error('no agent was started')
      return agent.member
    },
    startAgent,
    async serving() {
      if (!agent?.ownHub) startAgent()
      const last = vipOf(services - 1)
      await agent!.member.said(['rules applied', 'the kernel already holds the rules'])
      await waitFor('the last service to answer', async () => (await ask({ host: last })).startsWith('10.244.'))
      return agent!.member
    },
    async clear() {
      await agent?.member.stop()
      agent = undefined
      execFileSync('nft', ['add table ip wherry; delete table ip wherry'])
    },
    run: (file, ...args) => start(`test/bench/${file}`, ...args),
    pem,
    async close() {
      api.close()
      await close()
    },
  }
}

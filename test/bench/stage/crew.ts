/** The programs of a stage: the real hub, the real agent as nodes run it, and what the bench itself needs. */
import { join, resolve } from 'node:path'
import { smallHeap } from '../../../cli/lab/children.ts'
import type { ModeName } from '../../../rules/mode.ts'
import { ownNode, responderPort } from './cluster.ts'
import { startMember, type Member } from './member.ts'
import type { Namespace } from './namespace.ts'

export interface AgentOptions {
  /** The real hub by default. */
  readonly hub?: string
  readonly mode?: ModeName
}

export interface Crew {
  readonly hub: Member
  /** Starts another one on the same data; the old one must have ended. */
  startHub(): Promise<void>
  /** The last one that was started. @throws Error if there is none */
  readonly agent: Member
  startAgent(options?: AgentOptions): Member
  /** Whether an agent of the real hub runs. */
  readonly serves: boolean
  /** Ends the agent. */
  dismissAgent(): Promise<void>
  /** A program of this folder. */
  run(file: string, ...args: readonly string[]): Member
  /** Somebody who answers on every address of a namespace. */
  answerIn(namespace: Namespace): Promise<Member>
  /** Ends all of them, at once. */
  kill(): Promise<void>
}

export const hubUrl = 'https://127.0.0.1:6443'

const root = resolve(import.meta.dirname, '../../..')
const flags = ['--experimental-ffi', '--disable-warning=ExperimentalWarning']
const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/wherry') }

export function createCrew(namespace: Namespace): Crew {
  const { dir } = namespace
  const members: Member[] = []
  let hub: Member | undefined
  let agent: { readonly member: Member; readonly ownHub: boolean } | undefined
  const startIn = ({ path }: Namespace, ...args: readonly string[]): Member => {
    const member = startMember({ command: 'nsenter', args: [`--net=${path}`, '--', process.execPath, ...flags, ...args], cwd: root, env })
    members.push(member)
    return member
  }
  const start = (...args: readonly string[]): Member => startIn(namespace, ...args)
  return {
    get hub() {
      if (!hub) throw new Error('no hub was started')
      return hub
    },
    async startHub() {
      hub = start(smallHeap, 'server/main.ts', '--data', join(dir, 'hub'), '--listen', '127.0.0.1:6443', '--log-level', 'info')
      await hub.said('the hub is serving')
    },
    get agent() {
      if (!agent) throw new Error('no agent was started')
      return agent.member
    },
    startAgent({ hub: url = hubUrl, mode = 'nftables' } = {}) {
      const program = [smallHeap, 'agent/main.ts', '--node', ownNode, '--hub', url, '--credentials', join(dir, ownNode)]
      const member = start(...program, '--state', join(dir, 'agent'), '--services-only', '--proxy-mode', mode)
      agent = { member, ownHub: url === hubUrl }
      return member
    },
    get serves() {
      return agent?.ownHub === true && agent.member.runs
    },
    async dismissAgent() {
      await agent?.member.stop()
      agent = undefined
    },
    run: (file, ...args) => start(join(import.meta.dirname, file), ...args),
    async answerIn(annex) {
      const responder = startIn(annex, join(import.meta.dirname, 'responder.ts'), String(responderPort))
      await responder.said('listening')
      return responder
    },
    async kill() {
      await Promise.all(members.map((member) => member.kill()))
    },
  }
}

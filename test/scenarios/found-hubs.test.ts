/** A hub that comes later is found by an agent that has never heard of it: real hubs, a real etcd and a real agent, in a network namespace. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ClusterStatus } from '../../api/hub.ts'
import { groups } from '../../server/auth/auth.ts'
import { issue, makeKey } from '../../server/auth/certificate.ts'
import { etcdFlags, noEtcd, startEtcd } from '../kit/etcd.ts'
import { startHub, type HubProcess } from '../kit/hub.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab } from '../kit/netns.ts'
import { waitFor } from '../kit/wait.ts'

const root = resolve(import.meta.dirname, '../..')
const addresses = ['198.51.100.1', '198.51.100.2'] as const

/** What `wherry join` would have written. */
function writeCredentials(pki: string, dir: string): void {
  const ca = { certificate: readFileSync(join(pki, 'ca.crt'), 'utf8'), key: readFileSync(join(pki, 'ca.key'), 'utf8') }
  const key = makeKey()
  const subject = { commonName: 'system:node:a', organization: groups.nodes }
  mkdirSync(dir)
  writeFileSync(join(dir, 'ca.crt'), ca.certificate)
  writeFileSync(join(dir, 'node.key'), key, { mode: 0o600 })
  writeFileSync(join(dir, 'node.crt'), issue(ca, { subject, purpose: { kind: 'client' }, publicKey: createPublicKey(key) }, Date.now()))
}

function startAgent(dir: string): { readonly child: ChildProcess; said(): string } {
  const flags = ['--experimental-ffi', '--disable-warning=ExperimentalWarning', 'agent/main.ts', '--services-only', '--node', 'a']
  const places = ['--hub', `https://${addresses[0]}:6443`, '--credentials', join(dir, 'credentials'), '--state', join(dir, 'agent')]
  const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/wherry') }
  const child = spawn(process.execPath, [...flags, ...places], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += String(part)))
  return { child, said: () => said }
}

const rulesAt = async (hub: HubProcess): Promise<string> => (await hub.api.send('GET', '/wherry/v1/nodes/a/rules')).text
const shownAt = async (hub: HubProcess) => (await hub.api.get<ClusterStatus>('/wherry/v1/status')).nodes

describeAsRoot('an agent that was told of one hub', () => {
  describe.skipIf(noEtcd)(`of several on one etcd${noEtcd && ` (skipped: ${noEtcd})`}`, () => {
    const lab = netnsLab()

    test('answers at the one that comes later, also when the first is gone', { timeout: 90_000 }, async () => {
      const netns = await lab.create()
      for (const address of addresses) await execIn(netns, 'ip', ['address', 'add', `${address}/32`, 'dev', 'lo'])
      const dir = mkdtempSync(join(tmpdir(), 'wherry-found-'))
      const ends: (() => Promise<unknown>)[] = [() => Promise.resolve(rmSync(dir, { recursive: true, force: true }))]
      await inNamespace(netns, async () => {
        try {
          const etcd = await startEtcd()
          ends.push(() => etcd.end())
          const start = async (which: 0 | 1): Promise<HubProcess> => {
            const hub = await startHub({ data: join(dir, `hub${which}`), host: addresses[which], port: 6443, flags: etcdFlags(etcd) })
            ends.push(() => hub.end('SIGKILL'))
            return hub
          }
          const first = await start(0)
          writeCredentials(join(dir, 'hub0/pki'), join(dir, 'credentials'))
          const agent = startAgent(dir)
          ends.push(() => (agent.child.kill('SIGKILL') ? once(agent.child, 'close') : Promise.resolve()))
          await waitFor('rules at the first hub', async () => (await rulesAt(first)).includes('table ip wherry'))
          // It is named by the store, and it is the one that the agent has its session with.
          expect(agent.said()).not.toContain('a side link')

          for (const shared of ['pki', 'encryption.yaml']) cpSync(join(dir, 'hub0', shared), join(dir, 'hub1', shared), { recursive: true })
          const second = await start(1)
          await waitFor('rules at the second hub', async () => (await rulesAt(second)).includes('table ip wherry'))
          expect(await shownAt(first)).toMatchObject([{ name: 'a', connected: true }])
          expect(await shownAt(second)).toMatchObject([{ name: 'a', connected: false, aside: true }])
          await first.end('SIGKILL')
          expect(await rulesAt(second)).toContain('table ip wherry')
        } finally {
          for (const end of ends.toReversed()) await end()
        }
      })
    })
  })
})

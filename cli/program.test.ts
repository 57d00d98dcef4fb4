import { describe, expect, test } from 'vitest'
import type { CommanderError } from 'commander'
import { type Actions, createProgram } from './program.ts'
import { agentFlags } from './commands.ts'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readConfig } from './config.ts'

/** Every action writes down what it was called with. */
function recorded(): { readonly actions: Actions; readonly calls: unknown[][] } {
  const calls: unknown[][] = []
  const record =
    (name: string) =>
    async (...args: unknown[]) =>
      void calls.push([name, ...args])
  const names = ['up', 'down', 'supervise', 'image', 'exec', 'status', 'rules', 'explain', 'snapshot', 'restore', 'join', 'agent', 'hub', 'proxy'] as const
  return { calls, actions: Object.fromEntries(names.map((name) => [name, record(name)])) as unknown as Actions }
}

async function run(...argv: string[]): Promise<unknown[][]> {
  const { actions, calls } = recorded()
  await createProgram(actions, '1.2.3').parseAsync(argv, { from: 'user' })
  return calls
}

/** The error that commander throws, and what a person reads. */
async function refused(...argv: string[]): Promise<{ readonly code: string; readonly text: string }> {
  let text = ''
  const program = createProgram(recorded().actions, '1.2.3')
  for (const command of [program, ...program.commands])
    command.configureOutput({ writeErr: (part) => (text += part), writeOut: (part) => (text += part) })
  const error = await program.parseAsync(argv, { from: 'user' }).catch((e: unknown) => e as CommanderError)
  return { code: (error as CommanderError).code, text }
}

describe('the commands', () => {
  test.each([
    [['up'], ['up', {}]],
    [
      ['up', '--nodes', '2', '--port', '7443', '--proxy-mode', 'iptables', '--name', 'second'],
      ['up', { nodes: 2, port: 7443, proxyMode: 'iptables', name: 'second' }],
    ],
    [
      ['down', '--name', 'second'],
      ['down', { name: 'second' }],
    ],
    [['status'], ['status', {}]],
    [['rules'], ['rules', undefined, {}]],
    [['explain', 'web'], ['explain', 'web', {}]],
    [
      ['explain', '[fd00::1]:80', '--node', 'node2', '-o', 'json', '--kubeconfig', '/k'],
      ['explain', '[fd00::1]:80', { node: 'node2', output: 'json', kubeconfig: '/k' }],
    ],
    [
      ['snapshot', '/f', '--kubeconfig', '/k'],
      ['snapshot', '/f', { kubeconfig: '/k' }],
    ],
    [
      ['restore', '/f', '--data', '/d'],
      ['restore', '/f', { data: '/d' }],
    ],
    [
      ['rules', 'node2', '--service', 'default/web', '--name', 'x'],
      ['rules', 'node2', { service: 'default/web', name: 'x' }],
    ],
    [
      ['exec', 'node1', '--', 'ip', '-brief', 'address'],
      ['exec', 'node1', ['ip', '-brief', 'address'], {}],
    ],
    [
      ['exec', '--name', 'x', 'node1', 'ip', '--name', 'y'],
      ['exec', 'node1', ['ip', '--name', 'y'], { name: 'x' }],
    ],
    [
      ['lab', 'supervise', '--run-dir', '/r'],
      ['supervise', '/r'],
    ],
    [
      ['lab', 'image', '/f'],
      ['image', '/f'],
    ],
    [
      ['agent', '--node', 'a', '--log-level', 'debug'],
      ['agent', ['--node', 'a', '--log-level', 'debug']],
    ],
    [
      ['hub', '--data', '/d'],
      ['hub', ['--data', '/d']],
    ],
    [
      ['hub', '--', '--help'],
      ['hub', ['--help']],
    ],
    [
      ['proxy', '--config=/etc/proxy.yaml', '-v', '4', '--help'],
      ['proxy', ['--config=/etc/proxy.yaml', '-v', '4', '--help']],
    ],
    [
      ['join', 'https://h:6443', '--token', 't', '--ca-cert-hash', 'sha256:0'],
      ['join', 'https://h:6443', { token: 't', caCertHash: 'sha256:0', credentials: '/var/lib/wherry/agent/credentials' }],
    ],
  ])('%o', async (argv, [name, ...args]) => {
    const [call, ...others] = await run(...argv)
    expect(call!.slice(0, args.length + 1)).toEqual([name, ...args])
    expect(others).toEqual([])
  })

  test.each([
    [['up', '--nodes', 'many'], '--nodes'],
    [['up', '--proxy-mode', 'ebpf'], 'nftables, iptables, ipvs'],
    [['restore', '/f'], '--data'],
    [['snapshot'], 'file'],
    [['exec', 'node1'], 'command'],
    [['exec'], 'node'],
    [['explain'], 'target'],
    [['explain', 'web', '-o', 'yaml'], 'json'],
    [['join', 'https://h:6443', '--token', 't'], '--ca-cert-hash'],
    [['start'], 'start'],
  ])('%o is refused in two lines that name what is wrong', async (argv, word) => {
    const { text } = await refused(...argv)
    const lines = text.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^wherry: /)
    expect(lines[0]).toContain(word)
    expect(lines.slice(1)).toEqual(['        `wherry --help` shows how it is used'])
  })
})

describe('the help', () => {
  test('names every command that people use, examples, files and exit codes, and no hidden one', async () => {
    const { text } = await refused('--help')
    for (const command of ['up', 'down', 'exec', 'status', 'rules', 'explain', 'snapshot', 'restore', 'join', 'agent', 'hub'])
      expect(text).toMatch(new RegExp(`^  ${command} `, 'm'))
    for (const word of ['Examples:', 'Files:', 'Exit codes:', 'KUBECONFIG=/var/lib/wherry/lab/kubeconfig'])
      expect(text).toContain(word)
    expect(text).not.toContain('supervise')
    expect((await refused('up', '--help')).text).not.toContain('--name')
  })

  test('files of the checkout that it names are there', async () => {
    const { text } = await refused('--help')
    const named = [...text.matchAll(/\b((?:vagrant|bin|cli|docs)\/[\w./-]+)/g)].map((match) => match[1]!)
    const { root } = readConfig({})
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([])
  })
})

describe('the flags of an agent in the foreground', () => {
  test('are passed on where they say enough; otherwise `wherry join` comes first', () => {
    const flags = ['--node', 'a', '--hub', 'https://h:1', '--credentials', '/nowhere']
    expect(agentFlags(flags)).toEqual(flags)
    expect(agentFlags(['--help'])).toEqual(['--help'])
    expect(() => agentFlags(['--credentials', '/nowhere'])).toThrow('there is no /nowhere/agent.json')
  })
})

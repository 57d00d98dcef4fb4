/** A stock kubectl on the API of a trial, as its user meets it: output and exit code. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa, execaSync } from 'execa'
import { afterAll, beforeAll, expect, type RunnerTestFile, type RunnerTestSuite } from 'vitest'
import { startControllers } from './controllers.ts'
import { startTrial, type Trial } from './trial.ts'

/** A kubectl of this machine. */
export interface KubectlProgram {
  readonly file: string
  /** Of its version 1.x. */
  readonly minor: number
}

/** Debian's, which `bin/setup --test` unpacks there: the oldest that is served. */
const unpacked = path.join(import.meta.dirname, '../../node_modules/.cache/kubectl/usr/bin/kubectl')

/** The kubectl on PATH, and Debian's, as far as they are there. */
export const kubectls: readonly KubectlProgram[] = [
  ...(process.env.PATH ?? '').split(':').map((folder) => path.join(folder, 'kubectl')).filter(existsSync).slice(0, 1),
  ...[unpacked].filter(existsSync),
].map((file) => ({ file, minor: minorOf(file) }))

/** One that has the words and flags which most tests use. */
export const kubectlFile = kubectls.find(({ minor }) => minor >= 27)?.file

function minorOf(file: string): number {
  const { clientVersion } = JSON.parse(execaSync(file, ['version', '--client', '-o', 'json']).stdout) as { readonly clientVersion: { readonly minor: string } }
  return Number.parseInt(clientVersion.minor, 10)
}

/** A command as one types it, split at each space, or its words where one of them holds a space. */
export type Command = string | readonly string[]

export interface Kubectl {
  /** A folder of its own, removed in the end. */
  readonly home: string
  /** The whole output of a command that must succeed, stdout first. */
  ok(command: Command, input?: string): Promise<string>
  /** The output of a command that must fail, with 1 unless told. */
  fails(command: Command, input?: string, code?: number): Promise<string>
  close(): Promise<void>
}

interface KubectlDeps {
  readonly file: string
  /** URL of the API. */
  readonly server: string
  readonly editor: string
}

async function openKubectl({ file, server, editor }: KubectlDeps): Promise<Kubectl> {
  const home = await mkdtemp(path.join(tmpdir(), 'wherry-kubectl-'))
  const config = path.join(home, 'config')
  const cluster = { name: 'trial', cluster: { server } }
  const context = { name: 'trial', context: { cluster: 'trial', user: '' } }
  await writeFile(config, JSON.stringify({ apiVersion: 'v1', kind: 'Config', clusters: [cluster], contexts: [context], 'current-context': 'trial' }))
  const run = async (command: Command, input: string, code: number): Promise<string> => {
    const args = typeof command === 'string' ? command.split(' ') : command
    const env = { HOME: home, KUBECONFIG: config, KUBE_EDITOR: editor }
    const done = await execa(file, args, { input, env, reject: false, timeout: 20_000 })
    const text = [done.stdout, done.stderr].filter((t) => t !== '').join('\n')
    expect({ args, text, exitCode: done.exitCode }).toMatchObject({ exitCode: code })
    return text
  }
  return {
    home,
    ok: (command, input = '') => run(command, input, 0),
    fails: (command, input = '', code = 1) => run(command, input, code),
    close: () => rm(home, { recursive: true, force: true }),
  }
}

export interface KubectlStage extends Omit<Kubectl, 'close'> {
  readonly trial: Trial
}

export interface KubectlWish {
  /** So many different commands are tried at the least, where no test is left out. */
  readonly commands: number
  /** A command for `kubectl edit`, which gets a file. */
  readonly editor?: string
  /** One of `kubectls`; a recent one unless told. */
  readonly file?: string
  /** The hub's controllers run too. */
  readonly controllers?: boolean
}

/** A hub's API and the kubectl of its user, for the tests of the `describe` that calls it: there from its `beforeAll` on. */
export function useKubectl({ commands, editor = 'false', file = kubectlFile!, controllers = false }: KubectlWish): KubectlStage {
  const tried = new Set<string>()
  let trial: Trial | undefined
  let kubectl: Kubectl | undefined
  let stop: (() => Promise<void>) | undefined
  beforeAll(async () => {
    trial = await startTrial()
    if (controllers) stop = startControllers(trial)
    kubectl = await openKubectl({ file, server: trial.api.url, editor })
  })
  // oxlint-disable-next-line no-empty-pattern -- the runner reads it to see what is asked for
  afterAll(async ({}, suite) => {
    await kubectl?.close()
    await stop?.()
    await trial?.close()
    if (isWhole(suite)) expect(tried.size, 'different commands').toBeGreaterThanOrEqual(commands)
  })
  const noted = (command: Command): Command => {
    tried.add(typeof command === 'string' ? command : command.join(' '))
    return command
  }
  return {
    get trial() {
      return trial!
    },
    get home() {
      return kubectl!.home
    },
    ok: (command, input) => kubectl!.ok(noted(command), input),
    fails: (command, input, code) => kubectl!.fails(noted(command), input, code),
  }
}

/** Whether no test was left out, by a filter or a skip. */
const isWhole = (suite: RunnerTestSuite | RunnerTestFile): boolean =>
  suite.tasks.every((task) => (task.type === 'suite' ? isWhole(task) : task.mode === 'run'))

/** A stock kubectl on the API of a trial, as its user meets it: output and exit code. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { expect } from 'vitest'

/** The kubectl on PATH, if there is one. */
export const kubectlFile = (process.env.PATH ?? '')
  .split(':')
  .map((folder) => path.join(folder, 'kubectl'))
  .find((file) => existsSync(file))

export interface Kubectl {
  /** A folder of its own, removed in the end. */
  readonly home: string
  /** The whole output of a command that must succeed, stdout first. */
  ok(args: readonly string[], input?: string): Promise<string>
  /** The output of a command that must fail, with 1 unless told. */
  fails(args: readonly string[], options?: { readonly input?: string; readonly code?: number }): Promise<string>
  close(): Promise<void>
}

/** @param server URL of the API. @param editor a command for `kubectl edit`, which gets a file */
export async function openKubectl(server: string, editor = 'false'): Promise<Kubectl> {
  const home = await mkdtemp(path.join(tmpdir(), 'wherry-kubectl-'))
  const config = path.join(home, 'config')
  const cluster = { name: 'trial', cluster: { server } }
  const context = { name: 'trial', context: { cluster: 'trial', user: '' } }
  await writeFile(config, JSON.stringify({ apiVersion: 'v1', kind: 'Config', clusters: [cluster], contexts: [context], 'current-context': 'trial' }))
  const run = async (args: readonly string[], input: string): Promise<{ readonly text: string; readonly exitCode: number | undefined }> => {
    const env = { HOME: home, KUBECONFIG: config, KUBE_EDITOR: editor }
    const done = await execa(kubectlFile!, args, { input, env, reject: false, timeout: 20_000 })
    return { text: [done.stdout, done.stderr].filter((t) => t !== '').join('\n'), exitCode: done.exitCode }
  }
  return {
    home,
    async ok(args, input = '') {
      const { text, exitCode } = await run(args, input)
      expect({ args, text, exitCode }).toMatchObject({ exitCode: 0 })
      return text
    },
    async fails(args, { input = '', code = 1 } = {}) {
      const { text, exitCode } = await run(args, input)
      expect({ args, text, exitCode }).toMatchObject({ exitCode: code })
      return text
    },
    close: () => rm(home, { recursive: true, force: true }),
  }
}

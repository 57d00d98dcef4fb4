/** A hub as a process: its snapshot and its restoration, each by one command. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePorts } from '../kit/etcd.ts'
import { startHub, type HubProcess } from '../kit/hub.ts'

const configmaps = '/api/v1/namespaces/default/configmaps'
let dir: string
let hub: HubProcess | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wherry-restore-'))
})
afterEach(async () => {
  await hub?.end('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

/** The command's exit code and all that it wrote. */
const wherry = (...args: readonly string[]): Promise<readonly [number, string]> =>
  new Promise((done) => {
    const program = ['--disable-warning=ExperimentalWarning', join(resolve(import.meta.dirname, '../..'), 'cli/main.ts')]
    execFile(process.execPath, [...program, ...args], { timeout: 30_000 }, (e, out, err) => done([e ? Number(e.code) : 0, out + err]))
  })

test('what a snapshot holds is back after a restore, and who followed the lost future starts anew', { timeout: 60_000 }, async () => {
  const data = join(dir, 'hub')
  const [port] = await freePorts()
  hub = await startHub({ data, port })
  const kubeconfig = ['--kubeconfig', join(data, 'admin.kubeconfig')]
  const file = join(dir, 'copy.db')
  await hub.api.create(configmaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'then' } })
  expect(await wherry('snapshot', file, ...kubeconfig)).toEqual([0, expect.stringContaining('holds everything that https://127.0.0.1')])
  expect((statSync(file).mode & 0o777).toString(8)).toBe('600')
  expect(await wherry('snapshot', file, ...kubeconfig)).toEqual([2, expect.stringContaining('is there already')])
  const { metadata } = await hub.api.create(configmaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'later' } })
  expect(readdirSync(data).filter((name) => name.startsWith('snapshot'))).toEqual([])

  expect(await wherry('restore', file, '--data', data)).toEqual([1, expect.stringContaining('stop the other hub')])
  await hub.end()
  expect(await wherry('restore', file, '--data', data)).toEqual([0, expect.stringContaining('is in place')])
  hub = await startHub({ data, port })
  const names = (await hub.api.list(configmaps)).map((o) => o.metadata.name)
  expect(names).toEqual(['kube-root-ca.crt', 'then'])
  const watch = await hub.api.watch(`${configmaps}?watch=true&resourceVersion=${metadata.resourceVersion}`)
  expect((await watch.next()).value).toMatchObject({ type: 'ERROR', object: { code: 410 } })
})

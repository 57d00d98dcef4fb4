/** The box of a run: built once for each content, and kept. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Exec } from '../../cli/exec.ts'
import type { RunConfig } from './config.ts'

/** What a box is made of; the project itself comes with `vagrant up`. */
const ingredients = ['package-lock.json', 'vagrant/box/build.sh', 'vagrant/provision/packages.txt', 'vagrant/provision/install.sh', 'vagrant/provision/steps.sh'] as const

/** @returns the catalogue's path, and whether it had to be built */
export async function provideBox(config: RunConfig, exec: Exec, signal: AbortSignal): Promise<{ readonly catalogue: string; readonly built: boolean }> {
  const root = join(config.folder, '..')
  const sum = createHash('sha256')
  for (const file of ingredients) sum.update(readFileSync(join(root, file)))
  const dir = join(config.cache, 'box', sum.digest('hex').slice(0, 16))
  const catalogue = join(dir, 'wherry-offline.json')
  if (existsSync(catalogue)) return { catalogue, built: false }
  mkdirSync(dir, { recursive: true })
  // The builder writes the catalogue last.
  const settings = [...Object.entries(config.reach).map(([name, value]) => `${name}=${value}`), 'FORMATS=libvirt', 'KERNEL_ARGS=mitigations=off', `BASE=${config.base ?? ''}`]
  await exec.run(['env', ...settings, join(config.folder, 'box/build.sh'), dir], { signal, timeoutMs: 3_600_000 })
  return { catalogue, built: true }
}

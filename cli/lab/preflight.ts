/** What the machine must have before anything is changed on it. */
import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import { CliError } from '../error.ts'

/** Every program that a lab runs. `bin/setup` installs the packages that hold them. */
export const labPrograms = [
  'ip',
  'nsenter',
  'nft',
  'conntrack',
  'containerd',
  'ctr',
  'runc',
  'busybox',
  'kubectl',
  'mount',
  'umount',
] as const

/** Where distributions keep CNI plugins. */
export const pluginDirs = ['/usr/lib/cni', '/opt/cni/bin'] as const

/** @throws CliError SETUP saying what is missing */
export function requireRoot(platform: string, uid: number | undefined): void {
  if (platform !== 'linux') {
    throw new CliError(
      'SETUP',
      `a lab needs Linux, and this is ${platform}`,
      'use the virtual machines instead: cd vagrant && vagrant up',
    )
  }
  if (uid !== 0)
    throw new CliError(
      'SETUP',
      'a lab makes network namespaces and containers, which only root may do',
      'run the same command with sudo',
    )
}

/** @param path search path @throws CliError SETUP naming every missing program */
export function requirePrograms(path: string): void {
  const missing: string[] = labPrograms.filter((program) => !findProgram(program, path))
  if (!pluginDirs.some((dir) => existsSync(join(dir, 'ptp')))) missing.push('the CNI plugins')
  if (missing.length === 0) return
  throw new CliError('SETUP', `this machine lacks ${missing.join(', ')}`, 'run `sh bin/setup`, which installs them')
}

/** Full path of a program, or undefined. */
export function findProgram(program: string, path: string): string | undefined {
  return path
    .split(':')
    .map((dir) => join(dir, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** What the machine must have before anything is changed on it. */
import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ModeName } from '../../rules/mode.ts'
import { CliError } from '../error.ts'
import type { Exec } from '../exec.ts'

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

/** What agents run beside them, by mode. */
const modePrograms: Readonly<Record<ModeName, readonly string[]>> = { nftables: [], iptables: ['iptables-save', 'iptables-restore'], ipvs: ['ipvsadm'] }

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
export function requirePrograms(path: string, mode: ModeName): void {
  const missing: string[] = [...labPrograms, ...modePrograms[mode]].filter((program) => !findProgram(program, path))
  if (!pluginDirs.some((dir) => existsSync(join(dir, 'ptp')))) missing.push('the CNI plugins')
  if (missing.length === 0) return
  throw new CliError('SETUP', `this machine lacks ${missing.join(', ')}`, 'run `sh bin/setup`, which installs them')
}

/** @throws CliError SETUP if agents cannot have this mode on this kernel */
export async function requireMode(mode: ModeName, { exec, signal }: { readonly exec: Exec; readonly signal: AbortSignal }): Promise<void> {
  if (mode !== 'ipvs') return
  await exec.tryRun(['modprobe', '-q', 'ip_vs'], { signal, timeoutMs: 10_000 })
  if (existsSync('/proc/net/ip_vs')) return
  throw new CliError(
    'SETUP',
    '--proxy-mode ipvs: this kernel has no IPVS',
    'choose nftables or iptables, or use virtual machines, whose kernel has it: WHERRY_MODE=ipvs vagrant up',
  )
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

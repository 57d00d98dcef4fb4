/** The kernel that test machines boot, as `bin/setup --test` unpacks it, and what a host must have to boot it. */
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

/** A Debian kernel package, unpacked. */
export interface Kernel {
  /** `uname -r`, e.g. `6.1.0-56-amd64`. */
  readonly release: string
  /** The compressed kernel. */
  readonly image: string
  /** Its modules with depmod's tables, as they belong at /lib/modules/RELEASE. */
  readonly modules: string
}

export type KernelFound = { readonly kind: 'present'; readonly kernel: Kernel } | { readonly kind: 'absent'; readonly reason: string }

export const checkout = resolve(import.meta.dirname, '../..')

/** Where `bin/setup --test` puts kernels; git ignores it. */
export const kernelCache = join(checkout, 'node_modules/.cache/vm')

/** A host's daemons are found here even if the caller's PATH has only what users need. */
export const searchPath = (path = process.env.PATH ?? ''): string => [path, '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter)

/** The environment of tests that are skipped for want of a machine has the reason under this name. */
export const absentVariable = 'WHERRY_VM_ABSENT'

/** What a host must have, with the Debian package that brings it. */
const programs = {
  'qemu-system-x86_64': 'qemu-system-x86',
  setpriv: 'util-linux',
  busybox: 'busybox-static',
  modprobe: 'kmod',
  ipvsadm: 'ipvsadm',
  ipset: 'ipset',
} as const

export interface Host {
  readonly platform: string
  readonly arch: string
  readonly path: string
  readonly cache: string
}

const here = (): Host => ({ platform: process.platform, arch: process.arch, path: searchPath(), cache: kernelCache })

/** The kernel to boot on this host, or why none can be booted, in words for the title of a skipped test. */
export function findKernel(host: Host = here()): KernelFound {
  const absent = (reason: string): KernelFound => ({ kind: 'absent', reason })
  if (host.platform !== 'linux') return absent(`test machines need a Linux host, and this is ${host.platform}`)
  if (host.arch !== 'x64') return absent(`test machines run x86-64 programs of the host, and this host is ${host.arch}`)
  for (const [program, debianPackage] of Object.entries(programs)) {
    if (!findProgram(program, host.path)) return absent(`no ${program} here: apt-get install ${debianPackage}, or as root sh bin/setup --test`)
  }
  const kernel = newest(host.cache)
  return kernel ? { kind: 'present', kernel } : absent('no kernel unpacked here: run as root sh bin/setup --test')
}

/** The path of a program, looked up as execvp(3) does. */
export function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A kernel counts if it is whole: setup writes depmod's tables last. */
function newest(cache: string): Kernel | undefined {
  if (!existsSync(cache)) return undefined
  const releases = readdirSync(cache).sort(new Intl.Collator('en', { numeric: true }).compare)
  return releases
    .map((release) => ({
      release,
      image: join(cache, release, 'boot', `vmlinuz-${release}`),
      modules: join(cache, release, 'lib/modules', release),
    }))
    .findLast((kernel) => existsSync(kernel.image) && existsSync(join(kernel.modules, 'modules.dep')))
}

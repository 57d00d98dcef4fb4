/**
 * The first root of a test machine: busybox, the modules that it takes to reach the host's files, and the script that does so.
 * Written as a cpio archive in the format `newc` (kernel documentation, driver-api/early-userspace/buffer-format).
 */
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Kernel } from './kernel.ts'

/** What the script needs before it can load modules from the host's files. */
const bootModules = ['virtio_pci', 'virtio_console', '9pnet_virtio', '9p', 'overlay'] as const

export interface ArchiveEntry {
  readonly path: string
  /** Type and permissions, as in stat(2). */
  readonly mode: number
  readonly body?: Uint8Array
}

const directory = (path: string): ArchiveEntry => ({ path, mode: 0o040755 })
const program = (path: string, body: Uint8Array): ArchiveEntry => ({ path, mode: 0o100755, body })
const text = (path: string, body: string): ArchiveEntry => ({ path, mode: 0o100644, body: Buffer.from(body) })

/** @param busybox the path of a busybox that needs no libraries */
export function initramfs(kernel: Kernel, busybox: string): Buffer {
  const modules = loadOrder(readFileSync(join(kernel.modules, 'modules.dep'), 'utf8'), bootModules)
  return archive([
    ...['bin', 'modules', 'proc', 'sys', 'dev', 'host', 'memory', 'root', 'checkout'].map(directory),
    program('bin/busybox', readFileSync(busybox)),
    program('init', readFileSync(join(import.meta.dirname, 'init.sh'))),
    program('job.sh', readFileSync(join(import.meta.dirname, 'job.sh'))),
    ...modules.map((path) => program(`modules/${basename(path)}`, readFileSync(join(kernel.modules, path)))),
    text('modules/order', modules.map((path) => `${basename(path)}\n`).join('')),
  ])
}

/**
 * Paths of modules and all that they need, each after what it needs itself.
 * @param table modules.dep(5): `path: path…`, with all that a module needs in the reverse of the order of loading
 */
export function loadOrder(table: string, names: readonly string[]): readonly string[] {
  const rows = table.split('\n').flatMap((line) => {
    const [path, needs] = line.split(':') as [string, string?]
    return needs === undefined ? [] : [{ path, needs: needs.split(' ').filter(Boolean).toReversed() }]
  })
  const paths = names.flatMap((name) => {
    const row = rows.find(({ path }) => basename(path) === `${name}.ko`)
    if (!row) throw new Error(`the kernel has no module ${name}.ko that is not compressed`)
    return [...row.needs, row.path]
  })
  return [...new Set(paths)]
}

export function archive(entries: readonly ArchiveEntry[]): Buffer {
  return Buffer.concat([...entries, { path: 'TRAILER!!!', mode: 0 }].flatMap((entry, i) => record(entry, i + 1)))
}

function record({ path, mode, body = new Uint8Array() }: ArchiveEntry, inode: number): readonly Uint8Array[] {
  const name = Buffer.from(`${path}\0`)
  const links = 1
  // inode, mode, owner, group, links, time, size, four device numbers, length of the name, checksum (not used by this format)
  const fields = [inode, mode, 0, 0, links, 0, body.length, 0, 0, 0, 0, name.length, 0]
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
  return [Buffer.from(header), name, padding(header.length + name.length), body, padding(body.length)]
}

const padding = (length: number): Uint8Array => new Uint8Array((4 - (length % 4)) % 4)

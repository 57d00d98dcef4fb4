/**
 * A folder whose files change all at once, as those who watch mounted ConfigMaps know it: the files are in a folder of their own
 * with a time for its name, the link `..data` leads to it, and each name in the volume is a link through `..data`. A change
 * makes another such folder, and moves `..data`.
 */
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { VolumeFile } from './contents.ts'

const data = '..data'

/** Whether files were ever written there in full. */
export function isComplete(dir: string): boolean {
  return statSync(join(dir, data), { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** What a file of the volume holds; undefined where it is not there. */
export function readFile(dir: string, path: string): Buffer | undefined {
  const full = join(dir, data, path)
  return statSync(full, { throwIfNoEntry: false })?.isFile() ? readFileSync(full) : undefined
}

/**
 * Lets the folder hold these files and no others.
 * @param now ms since 1970
 * @returns whether something changed
 */
export function writeFolder(dir: string, files: readonly VolumeFile[], now: number): boolean {
  mkdirSync(dir, { recursive: true })
  chmodSync(dir, 0o755)
  const before = isComplete(dir) ? readlinkSync(join(dir, data)) : undefined
  const differs = before === undefined || !isSame(join(dir, before), files)
  const current = differs ? publish(dir, files, now) : before
  link(dir, files)
  for (const name of readdirSync(dir)) if (/^\.\.\d/.test(name) && name !== current) rmSync(join(dir, name), { recursive: true, force: true })
  return differs
}

/** @returns the name of the folder to which `..data` leads now */
function publish(dir: string, files: readonly VolumeFile[], now: number): string {
  const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(/[-T:]/g, '_')
  const fresh = mkdtempSync(join(dir, `..${stamp}.`))
  chmodSync(fresh, 0o755)
  for (const { path, bytes, mode } of files) {
    const full = join(fresh, path)
    const above = path.split('/').slice(0, -1)
    mkdirSync(dirname(full), { recursive: true })
    // Whatever our umask.
    above.forEach((_, i) => chmodSync(join(fresh, ...above.slice(0, i + 1)), 0o755))
    writeFileSync(full, bytes, { mode: 0o600 })
    chmodSync(full, mode)
  }
  const name = fresh.slice(dir.length + 1)
  const next = join(dir, '..data_tmp')
  rmSync(next, { force: true })
  symlinkSync(name, next)
  renameSync(next, join(dir, data))
  return name
}

/** The names that are seen in the volume. */
function link(dir: string, files: readonly VolumeFile[]): void {
  const names = new Set(files.map(({ path }) => path.split('/')[0]!))
  for (const name of readdirSync(dir)) if (!name.startsWith('..') && !names.has(name)) rmSync(join(dir, name), { recursive: true, force: true })
  for (const name of names) if (!lstatSync(join(dir, name), { throwIfNoEntry: false })) symlinkSync(join(data, name), join(dir, name))
}

function isSame(dir: string, files: readonly VolumeFile[]): boolean {
  const held = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory())
  return held.length === files.length && files.every(({ path, bytes, mode }) => hasFile(join(dir, path), bytes, mode))
}

function hasFile(path: string, bytes: Buffer, mode: number): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats !== undefined && stats.isFile() && (stats.mode & 0o777) === mode && stats.size === bytes.length && readFileSync(path).equals(bytes)
}

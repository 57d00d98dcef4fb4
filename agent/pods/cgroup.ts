/** Removes a pod's own cgroup once its containers' are gone; the runtime makes it on the way and leaves it. */
import { readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'

/** @param path absolute cgroup path; @param mount where cgroups are mounted: v2 there itself, v1 one folder for each hierarchy */
export function dropCgroup(path: string, mount = '/sys/fs/cgroup'): void {
  for (const hierarchy of ['', ...folders(mount)]) {
    const dir = join(mount, hierarchy, path)
    for (const name of folders(dir)) remove(join(dir, name))
    remove(dir)
  }
}

function folders(dir: string): readonly string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? [e.name] : []))
  } catch {
    return []
  }
}

function remove(dir: string): void {
  try {
    rmdirSync(dir)
  } catch {
    // Not there, or somebody is still in it.
  }
}

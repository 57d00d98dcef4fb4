/** Whether the kernel killed somebody in a cgroup for want of memory. Read before the cgroup goes with its task. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** @param cgroup absolute cgroup path, as in the container's spec; @param mount where cgroups are mounted */
export function wasOomKilled(cgroup: string, mount = '/sys/fs/cgroup'): boolean {
  // cgroup v1, then v2 (cgroups(7)): both have a line `oom_kill N`.
  const files = [join(mount, 'memory', cgroup, 'memory.oom_control'), join(mount, cgroup, 'memory.events')]
  return files.some((file) => Number(/^oom_kill (\d+)$/m.exec(readOrEmpty(file))?.[1] ?? 0) > 0)
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

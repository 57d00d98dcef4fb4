/** File systems in memory (tmpfs(5)), for what must not come to a disk, and what the kernel has mounted (proc(5), mountinfo). */
import { mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { mountsBelow } from '../../../api/mountinfo.ts'
import type { Exec } from '../../kernel/exec.ts'

export interface Mounts {
  /** Mount points at a path and below it, those inside others first. */
  below(path: string): readonly string[]
  /** Mounts an empty one, whose root has these permission bits. @throws ExecError */
  mountMemory(path: string, options: { readonly mode: number; readonly bytes?: number }, signal: AbortSignal): Promise<void>
  /** @throws ExecError, also where somebody still uses it */
  unmount(path: string, signal: AbortSignal): Promise<void>
}

export function createMounts(exec: Exec): Mounts {
  return {
    below(path) {
      const at = real(path)
      return mountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), [at]).map((point) => path + point.slice(at.length))
    },
    async mountMemory(path, { mode, bytes }, signal) {
      mkdirSync(path, { recursive: true })
      const options = [`mode=${mode.toString(8)}`, 'nosuid', 'nodev', ...(bytes === undefined ? [] : [`size=${bytes}`])]
      await exec.run({ command: 'mount', args: ['-t', 'tmpfs', '-o', options.join(','), 'wherry', path] }, signal)
    },
    async unmount(path, signal) {
      await exec.run({ command: 'umount', args: [path] }, signal)
    },
  }
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

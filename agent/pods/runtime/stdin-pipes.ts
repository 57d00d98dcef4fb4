/**
 * The stdin of a container: a named pipe (fifo(7)), whose writing end its logger holds, so that the container keeps its stdin
 * while agents come and go, and has its end when the logger closes it.
 *
 * containerd's shim opens such a pipe where there is a terminal. Without one it gives the container no stdin as long as a
 * program of ours reads the outputs (`binary://`): so runc is started by a few lines that make the pipe the stdin of
 * `runc create`, which the container's process inherits, and change nothing else.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Exec } from '../../kernel/exec.ts'
import { shellQuoted } from './shell-quoted.ts'

export interface StdinPipes {
  /** @returns the path of a fresh pipe. @throws ExecError */
  make(id: string, signal: AbortSignal): Promise<string>
  /** What is to be run in place of runc for a container whose pipe was made: a path, as good as long as the container is there. */
  launcher(id: string): string
  /** No error if there is none. */
  drop(id: string): void
  /** Drops all but those of these containers. */
  keepOnly(ids: readonly string[]): void
}

const timeoutMs = 10_000

/** @param dir made when it is first written to; nobody else writes there */
export function createStdinPipes(exec: Exec, dir: string): StdinPipes {
  const folder = (id: string): string => join(dir, id)
  const pipe = (id: string): string => join(folder(id), 'pipe')
  const drop = (id: string): void => rmSync(folder(id), { recursive: true, force: true })
  return {
    drop,
    async make(id, signal) {
      drop(id)
      mkdirSync(folder(id), { recursive: true, mode: 0o700 })
      await exec.run({ command: 'mkfifo', args: ['-m', '600', pipe(id)], timeoutMs }, signal)
      return pipe(id)
    },
    launcher(id) {
      const path = join(folder(id), 'runc')
      writeFileSync(path, launcherText(pipe(id)), { mode: 0o700 })
      return path
    },
    keepOnly(ids) {
      for (const id of idsIn(dir)) if (!ids.includes(id)) drop(id)
    },
  }
}

function idsIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

/** In a shell, since it is to be quick, and to work whatever becomes of the Node that this agent was started with. */
function launcherText(pipe: string): string {
  return `#!/bin/sh
# Runs runc; the process of the container that it creates has its stdin from a named pipe.
case " $* " in
*' create --bundle '*) exec runc "$@" <${shellQuoted(pipe)} ;;
esac
exec runc "$@"
`
}

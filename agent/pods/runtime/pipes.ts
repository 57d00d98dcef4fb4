/**
 * Named pipes between a process of a container and us (fifo(7)). A pipe has an end when its last writer closes it; so we hold
 * a writing end of each until containerd has its own, or we would read the end before the beginning.
 */
import { closeSync, constants, mkdirSync, openSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { Exec } from '../../kernel/exec.ts'

export interface PipePaths {
  readonly stdin?: string
  readonly stdout: string
  readonly stderr?: string
}

export interface Pipes {
  readonly paths: PipePaths
  /** To be called once containerd has opened its ends. */
  attach(): PipeEnds
  /** Closes what is open, and removes the pipes. */
  close(): void
}

export interface PipeEnds {
  readonly stdin?: Writable
  readonly stdout: Readable
  readonly stderr?: Readable
}

export interface PipesWish {
  /** A folder of their own, which is made, and removed in the end. */
  readonly dir: string
  readonly stdin: boolean
  readonly stderr: boolean
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK } = constants

export async function makePipes(exec: Exec, { dir, stdin, stderr }: PipesWish, signal: AbortSignal): Promise<Pipes> {
  const path = (name: string): string => join(dir, name)
  const paths: PipePaths = { stdout: path('stdout'), ...(stdin && { stdin: path('stdin') }), ...(stderr && { stderr: path('stderr') }) }
  /** Descriptors to be closed by us; a socket closes its own. */
  const held = new Set<number>()
  const open: Socket[] = []
  const hold = (file: string, flags: number): number => {
    const fd = openSync(file, flags | O_NONBLOCK)
    held.add(fd)
    return fd
  }
  const release = (fd: number): void => {
    if (held.delete(fd)) closeSync(fd)
  }
  const socket = (fd: number, way: 'read' | 'write'): Socket => {
    held.delete(fd)
    const made = new Socket({ fd, readable: way === 'read', writable: way === 'write' })
    // Whoever reads or writes is told; this only keeps a pipe that breaks in between from ending the agent.
    made.on('error', () => {})
    open.push(made)
    return made
  }
  const close = (): void => {
    for (const made of open) made.destroy()
    for (const fd of held) release(fd)
    rmSync(dir, { recursive: true, force: true })
  }

  mkdirSync(dir, { recursive: true, mode: 0o700 })
  try {
    await exec.run({ command: 'mkfifo', args: ['-m', '600', ...(Object.values(paths) as readonly string[])] }, signal)
    const readers = { stdout: hold(paths.stdout, O_RDONLY), ...(paths.stderr && { stderr: hold(paths.stderr, O_RDONLY) }) }
    const writers = [hold(paths.stdout, O_WRONLY), ...(paths.stderr ? [hold(paths.stderr, O_WRONLY)] : [])]
    const reserve = paths.stdin === undefined ? undefined : hold(paths.stdin, O_RDWR)
    return {
      paths,
      attach() {
        const input = paths.stdin === undefined ? undefined : socket(hold(paths.stdin, O_WRONLY), 'write')
        for (const fd of [...writers, ...(reserve === undefined ? [] : [reserve])]) release(fd)
        return {
          stdout: socket(readers.stdout, 'read'),
          ...(readers.stderr !== undefined && { stderr: socket(readers.stderr, 'read') }),
          ...(input && { stdin: input }),
        }
      },
      close,
    }
  } catch (e) {
    close()
    throw e
  }
}

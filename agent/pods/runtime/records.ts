/**
 * One small file for each container, so that its exit code outlives both its task in containerd and this agent.
 * The only file of this room that writes them. Writes are whole: a new file is renamed over the old one.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExitCause } from './runtime.ts'

export interface ContainerRecord {
  /** When its first process was started, RFC 3339; absent until then. */
  readonly startedAt?: string
  readonly exit?: { readonly code: number; readonly at?: string; readonly why?: ExitCause }
}

export interface Records {
  read(id: string): ContainerRecord
  /** Adds what is new; an exit that is known is never overwritten. */
  merge(id: string, more: ContainerRecord): void
  drop(id: string): void
  ids(): readonly string[]
}

/** @param dir made when it is first written to */
export function createRecords(dir: string): Records {
  const path = (id: string): string => join(dir, `${id}.json`)

  const read = (id: string): ContainerRecord => {
    try {
      return JSON.parse(readFileSync(path(id), 'utf8')) as ContainerRecord
    } catch {
      // Absent, or torn by a machine that went down: both mean that nothing is known.
      return {}
    }
  }

  return {
    read,
    merge(id, more) {
      const old = read(id)
      mkdirSync(dir, { recursive: true })
      const fresh = join(dir, `.${id}.new`)
      writeFileSync(fresh, JSON.stringify({ ...old, ...more, ...(old.exit && { exit: old.exit }) }))
      renameSync(fresh, path(id))
    },
    drop: (id) => rmSync(path(id), { force: true }),
    ids() {
      try {
        return readdirSync(dir).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []))
      } catch {
        return []
      }
    },
  }
}

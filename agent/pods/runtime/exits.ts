/** How containers ended: what events tell, what the kernel's counters tell, and what is on record from before. */
import type { ExitCause } from './runtime.ts'
import { wasOomKilled } from './oom.ts'
import type { ContainerRecord, Records } from './records.ts'

export interface Exits {
  /** A container of that cgroup is about to be started, or was found. */
  expect(id: string, cgroup: string): void
  /** Its first process was started (RFC 3339). */
  started(id: string, at: string): void
  sawOom(id: string): void
  /** It ended with that code. @param cause where it is known already */
  ended(id: string, code: number, more: { readonly at?: string; readonly cause?: ExitCause }): void
  /** What a container that is about to lose its cgroup would have died of. */
  cause(id: string): ExitCause | undefined
  read(id: string): ContainerRecord
  /** The container is gone, or is to be made anew. */
  forget(id: string): void
  /** Forgets all containers but these. */
  keepOnly(ids: readonly string[]): void
}

/** 128 and the number of SIGKILL, by which the kernel ends those that take too much memory. */
const killedCode = 137

export function createExits(records: Records): Exits {
  const cgroups = new Map<string, string>()
  const oomSeen = new Set<string>()

  const cause = (id: string): ExitCause | undefined => {
    const cgroup = cgroups.get(id)
    return oomSeen.has(id) || (cgroup !== undefined && wasOomKilled(cgroup)) ? 'oom' : undefined
  }

  const forget = (id: string): void => {
    records.drop(id)
    cgroups.delete(id)
    oomSeen.delete(id)
  }

  return {
    expect: (id, cgroup) => void cgroups.set(id, cgroup),
    started: (id, at) => records.merge(id, { startedAt: at }),
    sawOom: (id) => void oomSeen.add(id),
    ended(id, code, more) {
      const why = code === killedCode ? (more.cause ?? cause(id)) : undefined
      records.merge(id, { exit: { code, ...(more.at && { at: more.at }), ...(why && { why }) } })
    },
    cause,
    read: (id) => records.read(id),
    forget,
    keepOnly(ids) {
      for (const id of records.ids()) if (!ids.includes(id)) forget(id)
    },
  }
}

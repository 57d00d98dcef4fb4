/** Agents by the thousand, in a few processes of crowd.ts. */
import { readFileSync } from 'node:fs'
import type { Reached } from './crowd-lines.ts'
import { hubUrl } from './crew.ts'
import type { Stage } from './stage.ts'

export interface Crowd {
  /** Resolves when all of them have this revision; to be asked for one after the other. Bytes are those of all together. */
  reached(revision: number): Promise<Omit<Reached, 'msg'>>
}

export interface CrowdOptions {
  readonly agents: number
  readonly processes: number
  /** How many in each process are sent everything; the others resume from there, as they do when a hub comes back. */
  readonly full: number
}

const connectMs = 180_000

/** Resolves when all are connected. They end with the stage. @throws Error where a process may not have so many connections */
export async function openCrowds(stage: Stage, { agents, processes, full }: CrowdOptions): Promise<Crowd> {
  checkFiles(stage.hub.pid, agents)
  const each = agents / processes
  const programs = Array.from({ length: processes }, (_, i) => stage.run('crowd.ts', hubUrl, stage.pki, String(i * each), String(each), String(full)))
  await Promise.all(programs.map((program) => program.said('connected', { withinMs: connectMs })))
  return {
    async reached(revision) {
      const lineOf = (program: (typeof programs)[number]): Reached | undefined => {
        const line = program.last('reached') as unknown as Reached | undefined
        return line && line.revision >= revision ? line : undefined
      }
      await stage.until(`${agents} agents to have revision ${revision}`, () => programs.every((program) => lineOf(program)), { withinMs: 20_000 })
      const lines = programs.map((program) => lineOf(program)!)
      const sum = lines.reduce((all, line) => all + line.bytes, 0)
      const of = (pick: (line: Reached) => number): readonly number[] => lines.map(pick)
      return { revision, first: Math.min(...of((l) => l.first)), last: Math.max(...of((l) => l.last)), bytes: sum, longest: Math.max(...of((l) => l.longest)) }
    },
  }
}

function checkFiles(pid: number, agents: number): void {
  const most = Number(/Max open files\s+(\d+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? Infinity)
  if (most < agents + 200) throw new Error(`the hub may have ${most} open files, and ${agents} agents take as many: raise the limit (ulimit -n)`)
}

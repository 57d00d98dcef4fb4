/** What is measured, of how many services, as the command line says. */
import { parseArgs } from 'node:util'
import { change, growth } from './measures/change.ts'
import { churn } from './measures/churn.ts'
import { connect } from './measures/connect.ts'
import { connections } from './measures/connections.ts'
import type { Measure, Trial } from './measures/measure.ts'
import { hubMemory } from './measures/hub-memory.ts'
import { list } from './measures/list.ts'
import { memory } from './measures/memory.ts'
import { iptables, ipvs } from './measures/modes.ts'
import { restart } from './measures/restart.ts'
import { start } from './measures/start.ts'
import { watchers } from './measures/watchers.ts'
import { writes } from './measures/writes.ts'

export const measures: readonly Measure[] = [start, change, memory, restart, churn, growth, connect, connections, iptables, ipvs, writes, list, watchers, hubMemory]

export interface Task {
  readonly measure: Measure
  readonly services: number
}

export interface Plan extends Pick<Trial, 'changes' | 'starts' | 'connections'> {
  /** In their order: what shares a stage first, which grows from size to size. */
  readonly tasks: readonly Task[]
}

export const usage = `npm run bench -- [NAME...] [OPTIONS]

${measures.map(({ name, about, services }) => `  ${name.padEnd(16)}${about} (${services.map((n) => n.toLocaleString('en')).join('; ')})`).join('\n')}

  --services N[,N]    of how many services, in place of the numbers above; each has three endpoints
  --changes N         endpoint changes of change and growth (default 500)
  --starts N          of start and restart; the median counts (default 3)
  --connections N     of connections, amid a change for each hundred and a kill for each ten thousand (default 1000000)
`

/** @throws Error naming what is wrong */
export function planOf(argv: readonly string[]): Plan {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      services: { type: 'string' },
      changes: { type: 'string', default: '500' },
      starts: { type: 'string', default: '3' },
      connections: { type: 'string', default: '1000000' },
    },
  })
  for (const name of positionals) if (!measures.some((known) => known.name === name)) throw new Error(`${name}: no such measure`)
  const wanted = positionals.length === 0 ? measures : measures.filter(({ name }) => positionals.includes(name))
  const given = values.services?.split(',').map((text) => numberOf('services', text))
  const tasks = wanted.flatMap((measure) => (measure.populates ? measure.services : (given ?? measure.services)).map((services) => ({ measure, services })))
  const rank = ({ measure, services }: Task): number => (measure.fresh ? Infinity : services)
  return {
    tasks: tasks.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b))),
    changes: numberOf('changes', values.changes),
    starts: numberOf('starts', values.starts),
    connections: numberOf('connections', values.connections),
  }
}

function numberOf(flag: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${flag} ${text}: expected a whole number from 1 on`)
  return value
}

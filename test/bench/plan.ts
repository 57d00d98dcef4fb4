/** What is measured of how many services, as the command line says. */
import { parseArgs } from 'node:util'

export const parts = ['start', 'change', 'churn', 'restart', 'memory', 'connect', 'connections', 'modes'] as const
export type Part = (typeof parts)[number]

export interface Plan {
  readonly wanted: (part: Part) => boolean
  /** How many services there are, ascending: one cluster grows from one to the next. */
  readonly sizes: readonly number[]
  readonly at: Readonly<Record<'start' | 'change', readonly number[]>> & Readonly<Record<'churn' | 'restart' | 'memory' | 'connect' | 'modes', number>>
  readonly changes: number
  readonly starts: number
  readonly connections: { readonly connections: number; readonly changes: number; readonly kills: number; readonly outages: number; readonly clients: number }
}

export const usage = `npm run bench [-- OPTIONS]

  --only PART[,PART]     ${parts.join(', ')} (default: all)
  --sizes N[,N]          services of start and change, and the last of them of the others (default: as the figures ask)
  --changes N            measured endpoint changes for each size (default 500)
  --starts N             starts and restarts for each size; the median counts (default 3)
  --connections N        (default 60000; with 1000000 and more there are 10,000 changes, 100 kills of the agent, one hub outage)
`

/** @throws Error naming the flag */
export function planOf(argv: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', default: parts.join(',') },
      sizes: { type: 'string' },
      changes: { type: 'string', default: '500' },
      starts: { type: 'string', default: '3' },
      connections: { type: 'string', default: '60000' },
    },
  })
  const only = values.only.split(',')
  for (const part of only) if (!parts.some((known) => known === part)) throw new Error(`--only ${part}: expected some of ${parts.join(', ')}`)
  const wanted = (part: Part): boolean => only.includes(part)
  const given = values.sizes?.split(',').map((text) => count('sizes', text))
  const one = (size: number): number => (given ? Math.max(...given) : size)
  const at = {
    start: given ?? [10_000, 30_000, 50_000],
    change: given ?? [100, 1_000, 10_000, 30_000],
    churn: one(10_000),
    restart: one(10_000),
    memory: one(10_000),
    connect: one(50_000),
    modes: one(10_000),
  }
  const growing = (['start', 'change', 'churn', 'restart', 'memory', 'connect'] as const).filter(wanted)
  const connections = count('connections', values.connections)
  return {
    wanted,
    sizes: [...new Set(growing.flatMap((part) => at[part]))].sort((a, b) => a - b),
    at,
    changes: count('changes', values.changes),
    starts: count('starts', values.starts),
    connections: {
      connections,
      changes: Math.min(10_000, Math.ceil(connections / 100)),
      kills: Math.min(100, Math.ceil(connections / 10_000)),
      outages: 1,
      clients: 2,
    },
  }
}

function count(flag: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${flag} ${text}: expected a whole number from 1 on`)
  return value
}

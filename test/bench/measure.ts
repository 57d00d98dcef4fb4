/** Every figure in its turn: one cluster that grows for most of them, a cluster of their own for some. */
import { judge, median, quantiles, type Figure, type Measured, type Target } from './figures.ts'
import type { Plan } from './plan.ts'
import type { Site } from './site.ts'

export type Say = (what: string) => void

/** What is wanted, at the sizes at which it is wanted. */
const wanted = {
  start: new Map([[10_000, { atMost: 1 }], [30_000, { atMost: 3 }]]),
  changeP50: { atMost: 2 },
  changeP99: { atMost: 10 },
  growth: { atMost: 1.2 },
  cpuMs: { atMost: 1 },
  churn: { atLeast: 5_000 },
  restart: { atMost: 1 },
  none: { atMost: 0 },
  rssMB: { atMost: 150 },
  connect: { atMost: 1.03 },
  /** A third of what kube-proxy's iptables mode takes: 51.6 s and 0.65 s. */
  iptablesStart: { atMost: 17.2 },
  iptablesChange: { atMost: 216 },
} as const satisfies Readonly<Record<string, Target | ReadonlyMap<number, Target>>>

/** Endpoint changes before those that count. */
const warmUp = 50

export async function* measure(plan: Plan, open: () => Promise<Site>, say: Say): AsyncGenerator<Figure> {
  if (plan.sizes.length > 0) yield* withSite(open, (site) => growing(plan, site, open, say))
  if (plan.wanted('connections')) yield* withSite(open, (site) => connections(plan, site, say))
  if (plan.wanted('modes')) for (const mode of ['iptables', 'ipvs'] as const) yield* withSite(open, (site) => modes(plan, site, mode, say))
}

async function* withSite(open: () => Promise<Site>, use: (site: Site) => AsyncGenerator<Figure>): AsyncGenerator<Figure> {
  const site = await open()
  try {
    yield* use(site)
  } finally {
    await site.close()
  }
}

async function* growing(plan: Plan, site: Site, open: () => Promise<Site>, say: Say): AsyncGenerator<Figure> {
  const { at } = plan
  for (const services of plan.sizes) {
    const here = (part: 'start' | 'change' | 'churn' | 'restart' | 'memory' | 'connect'): boolean =>
      plan.wanted(part) && [at[part]].flat().includes(services)
    say(`${services} services are made`)
    await site.ask('grow', { services })
    if (here('start')) yield* starts(plan, site, services, say)
    if (here('change')) yield* changes(plan, site, services, say)
    if (here('change') && services > at.change[0]! && services === at.change.at(-1)) yield* growth(plan, { large: site, services, open }, say)
    if (here('memory')) yield* memory(site, services, say)
    if (here('restart')) yield* restarts(plan, site, services, say)
    if (here('churn')) yield* churn(site, services, say)
    if (here('connect')) yield* connect(site, services, say)
  }
}

async function* starts(plan: Plan, site: Site, services: number, say: Say): AsyncGenerator<Figure> {
  say(`${services} services: ${plan.starts} starts`)
  const runs = []
  for (let n = 0; n < plan.starts; n++) runs.push(await site.ask('start', {}))
  const seconds = runs.map(({ syncToRulesMs }) => syncToRulesMs / 1_000)
  yield judge({ name: 'start: first sync to serving', services, value: median(seconds), unit: 's', detail: runs }, wanted.start.get(services))
  const process = runs.map(({ startToAnswerMs }) => startToAnswerMs / 1_000)
  yield judge({ name: 'start: process to first answer', services, value: median(process), unit: 's' })
}

async function* changes(plan: Plan, site: Site, services: number, say: Say): AsyncGenerator<Figure> {
  say(`${services} services: ${plan.changes} endpoint changes`)
  await site.ask('serve', undefined)
  const { taken, cpuMs } = await site.ask('change', { changes: plan.changes, warmUp })
  const { p50, p99, ...rest } = quantiles(taken)
  const isNamed = services === 10_000
  yield judge({ name: 'change: p50, API answer to first packet', services, value: p50, unit: 'ms', detail: rest }, isNamed ? wanted.changeP50 : undefined)
  yield judge({ name: 'change: p99', services, value: p99, unit: 'ms' }, isNamed ? wanted.changeP99 : undefined)
  yield judge({ name: 'change: CPU of the agent', services, value: cpuMs, unit: 'ms' }, wanted.cpuMs)
}

/** In turns, beside a small cluster that lives at the same time, so that both meet the same weather. */
async function* growth(plan: Plan, { large, services, open }: { large: Site; services: number; open: () => Promise<Site> }, say: Say): AsyncGenerator<Figure> {
  const few = plan.at.change[0]!
  say(`${services} services beside ${few}: endpoint changes in turns`)
  const small = await open()
  try {
    await small.ask('grow', { services: few })
    await small.ask('serve', undefined)
    await small.ask('change', { changes: warmUp })
    const rounds = 20
    const each = Math.ceil(plan.changes / rounds)
    const found = new Map<Site, { taken: number[]; cpu: number[] }>([[small, { taken: [], cpu: [] }], [large, { taken: [], cpu: [] }]])
    for (let round = 0; round < rounds; round++) {
      for (const site of round % 2 === 0 ? [small, large] : [large, small]) {
        const { taken, cpuMs } = await site.ask('change', { changes: each, first: warmUp + plan.changes + round * each })
        found.get(site)!.taken.push(...taken)
        found.get(site)!.cpu.push(cpuMs)
      }
    }
    const [a, b] = [found.get(small)!, found.get(large)!]
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
    const detail = { [few]: quantiles(a.taken), [services]: quantiles(b.taken) }
    yield judge({ name: `change: p50, times that at ${few}`, services, value: median(b.taken) / median(a.taken), unit: 'x', detail }, wanted.growth)
    yield judge({ name: `change: CPU of the agent, times that at ${few}`, services, value: mean(b.cpu) / mean(a.cpu), unit: 'x' }, wanted.growth)
  } finally {
    await small.close()
  }
}

async function* memory(site: Site, services: number, say: Say): AsyncGenerator<Figure> {
  say(`${services} services: memory`)
  const { agent, hub } = await site.ask('memory', undefined)
  const note = `${agent.anonMB} MB its own, ${agent.fileMB} MB pages of files`
  yield judge({ name: 'memory: RSS of the agent', services, value: agent.rssMB, unit: 'MB', note, detail: agent }, wanted.rssMB)
  yield judge({ name: 'memory: RSS of the hub', services, value: hub.rssMB, unit: 'MB', detail: hub })
}

async function* restarts(plan: Plan, site: Site, services: number, say: Say): AsyncGenerator<Figure> {
  say(`${services} services: ${plan.starts} restarts of the agent`)
  const runs = []
  for (let n = 0; n < plan.starts; n++) runs.push(await site.ask('restart', undefined))
  const seconds = runs.map(({ ms }) => ms / 1_000)
  yield judge({ name: 'restart: process to "the kernel already holds the rules"', services, value: median(seconds), unit: 's', detail: runs }, wanted.restart)
  const writes = runs.reduce((sum, { writes: each, passes }) => sum + each + passes, 0)
  yield judge({ name: 'restart: kernel writes', services, value: writes, unit: '' }, wanted.none)
}

async function* churn(site: Site, services: number, say: Say): AsyncGenerator<Figure> {
  const seconds = 8
  say(`${services} services: churn through the hub`)
  await site.ask('serve', undefined)
  const kinds = [
    { what: 'through the hub, as fast as its API takes writes', ...(await site.ask('churnThroughHub', { seconds })) },
    { what: 'agent alone, 5,000/s from a stand-in for the hub', ...(await site.ask('churnOfAgent', { seconds, perSecond: 5_000 })), pace: 5_000 },
    { what: 'agent alone, as fast as it follows', ...(await site.ask('churnOfAgent', { seconds, perSecond: 0 })), target: wanted.churn },
  ]
  for (const { what, lags, perSecond, cpuMs, passes, changes: made, ...rest } of kinds) {
    const lag = quantiles(lags)
    const common = { services, detail: { lagMs: lag, passes, changes: made } } as const satisfies Partial<Measured>
    if (!('pace' in rest)) yield judge({ ...common, name: `churn: ${what}`, value: perSecond, unit: '/s' }, 'target' in rest ? rest.target : undefined)
    yield judge({ ...common, name: `churn: lag p99, ${what}`, value: lag.p99, unit: 'ms' })
    yield judge({ ...common, name: `churn: CPU of the agent for a change, ${what}`, value: cpuMs, unit: 'ms' }, wanted.cpuMs)
  }
}

async function* connect(site: Site, services: number, say: Say): AsyncGenerator<Figure> {
  const samples = 20_000
  say(`${services} services: ${samples} connections each, direct and through virtual IPs`)
  const { connected, answered } = await site.ask('connect', { samples })
  for (const [what, { direct, virtual }] of [['connect and first line', answered], ['connect(2) alone', connected]] as const) {
    const [a, b] = [quantiles(direct), quantiles(virtual)]
    const note = `${a.p50} ms direct, ${b.p50} ms through a virtual IP (medians)`
    const target = what === 'connect and first line' ? wanted.connect : undefined
    yield judge({ name: `connect: ${what}, times direct`, services, value: b.p50 / a.p50, unit: 'x', note, detail: { direct: a, virtual: b } }, target)
  }
}

async function* connections(plan: Plan, site: Site, say: Say): AsyncGenerator<Figure> {
  const { connections: count, changes: rules, kills, outages } = plan.connections
  say(`${count} connections, ${rules} rule changes, ${kills} kills of the agent, ${outages} hub outage`)
  const result = await site.ask('connections', plan.connections)
  const failed = Object.entries(result.failed)
  const sum = failed.reduce((all, [, n]) => all + n, 0)
  const kinds = failed.map(([kind, n]) => `${n} ${kind}`).join(', ')
  const note = `of ${result.made} in ${result.seconds.toFixed(0)} s, ${rules} changes, ${kills} kills, ${outages} outage${kinds && `: ${kinds}`}; ${result.slow} slow`
  yield judge({ name: 'connections: failed', services: 240, value: sum, unit: '', note, detail: result }, wanted.none)
}

async function* modes(plan: Plan, site: Site, mode: 'iptables' | 'ipvs', say: Say): AsyncGenerator<Figure> {
  const services = plan.at.modes
  const names = [`${mode}: first sync to serving`, `${mode}: change p50`] as const
  const targets = mode === 'iptables' ? [wanted.iptablesStart, wanted.iptablesChange] : [undefined, undefined]
  say(`${services} services in ${mode} mode`)
  await site.ask('grow', { services })
  try {
    const started = await site.ask('start', { mode })
    yield judge({ name: names[0], services, value: started.syncToRulesMs / 1_000, unit: 's', detail: started }, targets[0])
    const { taken, cpuMs } = await site.ask('change', { changes: 40, warmUp: 5, limitMs: 20_000 })
    const { p50, ...detail } = quantiles(taken)
    yield judge({ name: names[1], services, value: p50, unit: 'ms', detail: { ...detail, cpuMs } }, targets[1])
  } catch (e) {
    const note = `not measured: ${(e as Error).message.split('\n').findLast((line) => line.trim() !== '' && !line.trim().startsWith('at '))}`
    for (const [n, name] of names.entries()) yield judge({ name, services, value: undefined, unit: '', note }, targets[n])
  }
}

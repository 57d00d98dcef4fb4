/** Start and change in the other modes, each on a stage of its own, so that nothing of one mode is left for the other. */
import { judge, quantiles, type Figure, type Target } from '../figures.ts'
import type { ModeName } from '../../../rules/mode.ts'
import { changeOneByOne } from './change.ts'
import type { Measure } from './measure.ts'
import { startOnce } from './start.ts'

interface Wanted {
  readonly startSeconds?: Target
  readonly changeMs?: Target
  readonly note?: string
}

const changes = 40

function createMode(mode: ModeName, { startSeconds, changeMs, note }: Wanted): Measure {
  return {
    name: mode,
    about: `start and change in ${mode} mode`,
    services: [10_000],
    fresh: true,
    limitMs: 240_000,
    async figures(stage, { services }): Promise<readonly Figure[]> {
      const started = await startOnce(stage, { mode })
      await changeOneByOne(stage, { changes: 5 })
      const { taken, cpuMs } = await changeOneByOne(stage, { changes, first: 5 })
      const { p50, ...detail } = quantiles(taken)
      const about = { services, ...(note !== undefined && { note }) }
      return [
        judge({ name: `${mode}: first sync to serving`, ...about, value: started.syncToRulesMs / 1_000, unit: 's', detail: started }, startSeconds),
        judge({ name: `${mode}: change p50`, ...about, value: p50, unit: 'ms', detail: { ...detail, cpuMs } }, changeMs),
      ]
    },
  }
}

/** kube-proxy 1.36 in its iptables mode, on a machine with two cores: 51.6 s and 0.65 s. At least three times better is wanted. */
export const iptables = createMode('iptables', { startSeconds: { atMost: 17.2 }, changeMs: { atMost: 216 }, note: 'kube-proxy: 51.6 s, 650 ms' })

export const ipvs = createMode('ipvs', {})

/** Resident memory of agent and hub, some seconds after the last change: what was in use for a moment only does not count. */
import { judge } from '../figures.ts'
import type { Measure } from './measure.ts'

export const memory: Measure = {
  name: 'memory',
  about: 'resident memory of agent and hub',
  services: [10_000],
  limitMs: 60_000,
  async figures(stage, { services }) {
    const agent = await stage.serving()
    await stage.rest(3_000)
    const [own, hubs] = [agent.memory(), stage.hub.memory()]
    const note = `${own.anonMB} MB its own, ${own.fileMB} MB pages of files`
    return [
      judge({ name: 'memory: RSS of the agent', services, value: own.rssMB, unit: 'MB', note, detail: own }, { atMost: 150 }),
      judge({ name: 'memory: RSS of the hub', services, value: hubs.rssMB, unit: 'MB', detail: hubs }),
    ]
  },
}

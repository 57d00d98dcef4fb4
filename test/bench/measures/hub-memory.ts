/**
 * Resident memory of a hub that comes back to its services, and then to a thousand agents, when it has settled. A few are sent
 * everything; the others resume, as agents do then: ten thousand services a thousand times over would be twenty million frames.
 */
import { judge } from '../figures.ts'
import { openCrowds } from '../stage/crowds.ts'
import type { Measure } from './measure.ts'

const agents = 1_000
const full = 10
const processes = 2
/** What was made for all of them at once is forgotten by then. */
const settledMs = 75_000

export const hubMemory: Measure = {
  name: 'hub-memory',
  about: `resident memory of a hub with ${agents.toLocaleString('en')} agents`,
  services: [10_000],
  fresh: true,
  limitMs: 180_000,
  async figures(stage, { services }) {
    await stage.hub.stop()
    await stage.startHub()
    const alone = stage.hub.memory()
    await openCrowds(stage, { agents, processes, full })
    const filled = stage.hub.memory()
    await stage.rest(settledMs)
    const crowded = stage.hub.memory()
    const note = `${crowded.anonMB} MB its own, ${crowded.fileMB} MB pages of files; ${filled.rssMB} MB when the last agent came, ${alone.rssMB} MB before the first; ${full * processes} agents were sent everything, the others resumed`
    return [judge({ name: `hub-memory: RSS of a hub with ${agents.toLocaleString('en')} agents`, services, value: crowded.rssMB, unit: 'MB', note, detail: { alone, filled, crowded } }, { atMost: 200 })]
  },
}

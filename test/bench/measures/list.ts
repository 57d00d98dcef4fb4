/** All pods in one answer, as a client that does not ask for pieces gets them: from the request to the last byte. */
import { judge, quantiles } from '../figures.ts'
import { nodeOf, nodes } from '../stage/cluster.ts'
import { hubUrl } from '../stage/crew.ts'
import { adminIn, openWire } from '../stage/wire.ts'
import type { Measure } from './measure.ts'

const pods = 10_000
const times = 15

export const list: Measure = {
  name: 'list',
  about: `a list of ${pods.toLocaleString('en')} pods`,
  services: [0],
  fresh: true,
  populates: true,
  limitMs: 120_000,
  async figures(stage) {
    for (let n = 0; n < nodes; n++) await stage.api.create('/api/v1/nodes', nodeOf(n))
    const making = stage.run('writers.ts', hubUrl, stage.pki, 'pods', '32', '0', '0', String(pods))
    await stage.until('the pods to be made', () => !making.runs, { withinMs: 90_000 })
    const wire = await openWire(hubUrl, adminIn(stage.pki))
    const took: number[] = []
    let megabytes = 0
    for (let n = 0; n < times; n++) {
      const started = performance.now()
      const body = await wire.send('GET', '/api/v1/pods')
      took.push(performance.now() - started)
      megabytes = body.length / 1e6
      await stage.rest(50)
    }
    const { p50, p90, max } = quantiles(took)
    const note = `p90 ${p90.toFixed(0)} ms, at most ${max.toFixed(0)} ms; ${megabytes.toFixed(1)} MB of JSON`
    return [judge({ name: `list: ${pods.toLocaleString('en')} pods, p50`, services: 0, value: p50, unit: 'ms', note, detail: { p50, p90, max } }, { atMost: 300 })]
  },
}

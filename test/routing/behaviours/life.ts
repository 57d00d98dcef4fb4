/** The life of the process: section 13 of the catalogue, as far as packets see it. */
import { service, slice } from '../objects.ts'
import { onKernel, type Behaviour } from '../stage.ts'
import { externals, setEndpoints, web } from './fronts.ts'

export const lifeBehaviours: readonly Behaviour[] = [
  onKernel('R1', 'after a crash, and after an orderly end, traffic goes on', async (s) => {
    const fronts = await web(s, ['b1', 'b3'])
    for (const end of [() => s.crash(), () => s.stop()]) {
      await end()
      await s.expect({ from: ['pod', 'outside', 'node'], to: [fronts.vip, ...externals(fronts)], port: 80 }, { answer: ['b1', 'b3'] })
      await s.expect({ from: 'outside', to: s.at.places.node, port: fronts.nodePort }, { answer: ['b1', 'b3'] })
      await s.start()
    }
  }),
  onKernel('R2', 'a start brings what was missed, takes away what was deleted, and leaves open connections alone', async (s) => {
    const { vip } = await web(s, ['b1'])
    const [gone, born] = [s.at.vip(), s.at.vip()]
    await s.apply(service('gone', gone), slice(s.at, 'gone', ['b2']))
    const connections = await Promise.all([vip, gone].map((to) => s.open({ from: 'pod', to, port: 80 })))
    await s.crash()
    await s.remove(['Service gone'])
    await s.apply(service('born', born), slice(s.at, 'born', ['b4']))
    await setEndpoints(s, 'b3')
    await s.start()
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b3'] })
    await s.expect({ from: 'pod', to: gone, port: 80 }, 'untouched')
    await s.expect({ from: 'pod', to: born, port: 80 }, { answer: ['b4'] })
    s.same(await connections[0]!.ask(), 'b1')
    if (s.mode !== 'ipvs') s.same(await connections[1]!.ask(), 'b2')
  }),
  onKernel('R4', 'what is cleaned up leaves nothing that catches a packet, and the next start serves again', async (s) => {
    const fronts = await web(s, ['b1'])
    await s.cleanUp()
    await s.expect({ from: ['pod', 'outside'], to: [fronts.vip, ...externals(fronts)], port: 80 }, 'untouched')
    await s.expect({ from: 'outside', to: s.at.places.node, port: fronts.nodePort }, 'untouched')
    await s.start()
    await s.expect({ from: ['pod', 'outside'], to: [fronts.vip, ...externals(fronts)], port: 80 }, { answer: ['b1'] })
  }),
]

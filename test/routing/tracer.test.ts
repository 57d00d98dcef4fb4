/** Every behaviour, through the packet tracer of every mode: no kernel, no root. */
import { describe, test } from 'vitest'
import { behaviours } from './behaviours/index.ts'
import { tracedModes } from './modes.ts'
import { openTracerStage } from './tracer-stage.ts'

describe.each(tracedModes)('$name', (mode) => {
  describe.each(['ip', 'ip6'] as const)('%s', (family) => {
    const traced = Object.entries(behaviours).map(([area, list]) => [area, list.filter(({ on }) => on !== 'kernel')] as const)
    describe.each(traced.filter(([, list]) => list.length > 0))('%s', (_, list) => {
      for (const behaviour of list) {
        if (behaviour.on === 'kernel' || !(behaviour.families?.includes(family) ?? true)) continue
        const title = `${behaviour.title} (${behaviour.rows.join(' ')})`
        const reason = behaviour.except?.[mode.name]
        if (reason === undefined) test(title, () => behaviour.run(openTracerStage(mode, family)))
        else test.skip(`${title}; not so in mode ${mode.name}: ${reason}`)
      }
    })
  })
})

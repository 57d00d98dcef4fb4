/** Every behaviour of a mode with packets, on the kernel at hand. */
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import type { ModeName } from '../../rules/mode.ts'
import type { Family } from '../../rules/model.ts'
import { describeAsRoot } from '../kit/netns.ts'
import { behaviours } from './behaviours/index.ts'
import { openKernelNode, type KernelNode } from './kernel-stage.ts'
import { routingLab } from './lab.ts'
import type { Behaviour } from './stage.ts'

/** An emulated machine takes its time. */
const setUpMs = 240_000
const behaviourMs = 120_000

/** To be called at the top of a test file. */
export function kernelSuite(mode: ModeName): void {
  describeAsRoot(`packets, ${mode}`, () => {
    const lab = routingLab()
    let node: KernelNode
    beforeAll(async () => {
      node = openKernelNode(await lab.build(), mode)
      await node.clear()
    }, setUpMs)
    afterEach(() => node.clear(), behaviourMs)
    afterAll(async () => {
      await node?.end()
      lab.close()
    })
    describe.each(['ip', 'ip6'] as const)('%s', (family) => {
      describe.each(Object.entries(behaviours))('%s', (_, list) => {
        for (const behaviour of list) {
          const title = `${behaviour.title} (${behaviour.rows.join(' ')})`
          const reason = reasonAgainst(behaviour, mode, family)
          if (reason === 'not for this family') continue
          if (reason === undefined) test(title, () => behaviour.run(node.stage(family)), behaviourMs)
          else test.skip(`${title}; ${reason}`)
        }
      })
    })
  })
}

function reasonAgainst({ except, families }: Behaviour, mode: ModeName, family: Family): string | undefined {
  if (!(families?.includes(family) ?? true)) return 'not for this family'
  return except?.[mode] === undefined ? undefined : `not so in mode ${mode}: ${except[mode]}`
}

/** What is planted in the process of node1 is noticed by behaviours with packets. In IPv4, and in the first mode that shows it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeAsRoot } from '../kit/netns.ts'
import { behaviours } from './behaviours/index.ts'
import { processFaults, type Fault } from './faults.ts'
import { openKernelNode } from './kernel-stage.ts'
import { routingLab, type Lab } from './lab.ts'

const faultMs = 90_000

describeAsRoot('a fault in the process is noticed', () => {
  const open = routingLab()
  let lab: Lab
  beforeAll(async () => {
    lab = await open.build()
  })
  afterAll(() => open.close())

  /** The rows of behaviours that go wrong, among those that a fault names. */
  async function missed(name: string, { rows, mode = 'nftables' }: Fault): Promise<readonly string[]> {
    const found = new Set<string>()
    const concerned = Object.values(behaviours).flat().filter((behaviour) => behaviour.rows.some((row) => rows.split(' ').includes(row)))
    for (const { run, rows: covered, families, except } of concerned) {
      if (!(families?.includes('ip') ?? true) || except?.[mode] !== undefined || covered.every((row) => found.has(row))) continue
      const node = openKernelNode(lab, mode, name)
      try {
        await node.clear()
        await run(node.stage('ip'))
      } catch {
        for (const row of covered) found.add(row)
      } finally {
        await node.end()
      }
    }
    return [...found]
  }

  test.each(Object.entries(processFaults))('%s', async (name, fault) => {
    const found = await missed(name, fault)
    expect(fault.rows.split(' ').filter((row) => !found.includes(row))).toEqual([])
  }, faultMs)
})

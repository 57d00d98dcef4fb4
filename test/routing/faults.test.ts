import { describe, expect, test } from 'vitest'
import { behaviours } from './behaviours/index.ts'
import { faults, viewFaults, type Fault } from './faults.ts'
import { tracedModes } from './modes.ts'
import { openTracerStage } from './tracer-stage.ts'

const traced = Object.values(behaviours).flat().flatMap((behaviour) => (behaviour.on === 'kernel' ? [] : [behaviour]))

/** The rows of all behaviours that go wrong, in the first mode and in IPv4. */
async function missed(fault: Fault): Promise<ReadonlySet<string>> {
  const rows = new Set<string>()
  for (const { run, rows: covered, families } of traced) {
    if (!(families?.includes('ip') ?? true)) continue
    try {
      await run(openTracerStage(tracedModes[0]!, 'ip', fault))
    } catch {
      for (const row of covered) rows.add(row)
    }
  }
  return rows
}

describe('a fault in what a mode is told is noticed', () => {
  test.each(Object.entries(viewFaults))('%s', async (_, fault) => {
    const found = await missed(fault)
    expect(fault.rows.split(' ').filter((row) => !found.has(row))).toEqual([])
  })

  test('and without one nothing is missed', async () => {
    expect([...(await missed({ rows: '' }))]).toEqual([])
  })
})

test('there is a fault for every row of every behaviour', () => {
  const planted = new Set(Object.values(faults).flatMap(({ rows }) => rows.split(' ')))
  const covered = Object.values(behaviours).flat().flatMap(({ rows }) => rows)
  expect([...new Set(covered)].filter((row) => !planted.has(row))).toEqual([])
})

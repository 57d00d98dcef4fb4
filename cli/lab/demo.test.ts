import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { askAll } from './demo.ts'
import type { Place } from './matrix.ts'
import { createLabPlan, labDefaults } from './plan.ts'
import type { LabDeps } from './start.ts'

const pod = { name: 'web-1', node: 'node1', address: '10.244.1.2', container: 'c1' }
const place: Place = { nodes: [], pods: [pod], service: { clusterIP: '10.96.0.10', http: { port: 80, nodePort: 30_080 }, echo: { port: 80 } } }

/** @param said what ctr gives of the pod's answer, one time after the other; the last one for good */
async function askFromPod(...said: readonly string[]) {
  const asked: string[] = []
  const tryRun = async (argv: readonly string[]) => {
    asked.push(argv.join(' '))
    return { exitCode: 0, stdout: said[Math.min(asked.length, said.length) - 1]!, stderr: '' }
  }
  const deps = { exec: { tryRun }, clock: systemClock, config: { node: ['node'], root: resolve('.') }, signal: new AbortController().signal } as unknown as LabDeps
  const [row] = await askAll(createLabPlan(labDefaults), place, deps)
  return { verdict: row!.verdict, asked }
}

test('a pod whose answer ctr lost is asked again', async () => {
  const { verdict, asked } = await askFromPod('', '', 'pod=web-1 node=node1\n')
  expect(verdict).toMatchObject({ kind: 'right', pod: 'web-1', node: 'node1' })
  expect(asked).toHaveLength(3)
  expect(asked[0]).toMatch(/tasks exec --exec-id \S+ c1 wget -q -O - http:\/\/10\.96\.0\.10:80\/$/)
})

test('one that says nothing is wrong in the end, and one that says something else at once', async () => {
  const silent = await askFromPod('')
  expect([silent.verdict.kind, silent.asked.length]).toEqual(['wrong', 5])
  const other = await askFromPod('<html>')
  expect([other.verdict.kind, other.asked.length]).toEqual(['wrong', 1])
})

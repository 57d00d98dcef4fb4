import { describe, expect, test } from 'vitest'
import type { Node, Pod } from '../../api/objects.ts'
import { explainRefusals, refusal } from './filter.ts'
import { nothing, requestsOf } from './requests.ts'
import { describe as inWords, score } from './score.ts'

const node = (more: { spec?: object; ready?: string; labels?: Record<string, string>; allocatable?: object } = {}): Node =>
  ({
    metadata: { name: 'node1', labels: more.labels ?? {} },
    spec: more.spec ?? {},
    status: { conditions: [{ type: 'Ready', status: more.ready ?? 'True' }], allocatable: { cpu: '2', memory: '1Gi', pods: '3', ...more.allocatable } },
  }) as unknown as Node
const pod = (spec: object = {}): Pod => ({ metadata: { name: 'p' }, spec: { containers: [{ name: 'c' }], ...spec } }) as unknown as Pod
const asks = (cpu: string, memory: string): object => ({ containers: [{ name: 'c', resources: { requests: { cpu, memory } } }] })
const taint = (effect: string, value?: string) => ({ spec: { taints: [{ key: 'k', effect, ...(value && { value }) }] } })
const term = (key: string, operator: string, ...values: string[]) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }] } } },
})

describe('a node takes a pod or says why not', () => {
  test.each([
    ['plainly', pod(), node(), undefined],
    ['not ready', pod(), node({ ready: 'False' }), 'node(s) were not ready'],
    ['lost', pod(), node({ ready: 'Unknown' }), 'node(s) were not ready'],
    ['cordoned', pod(), node({ spec: { unschedulable: true } }), 'node(s) were unschedulable'],
    ['tainted', pod(), node(taint('NoSchedule', 'v')), 'node(s) had untolerated taint {k: v}'],
    ['tainted, softly', pod(), node(taint('PreferNoSchedule')), undefined],
    ['tainted, tolerated', pod({ tolerations: [{ key: 'k', operator: 'Exists' }] }), node(taint('NoExecute', 'v')), undefined],
    ['tainted, everything tolerated', pod({ tolerations: [{ operator: 'Exists' }] }), node(taint('NoSchedule')), undefined],
    ['tainted, another value tolerated', pod({ tolerations: [{ key: 'k', value: 'w' }] }), node(taint('NoSchedule', 'v')), 'node(s) had untolerated taint {k: v}'],
    ['tainted, another effect tolerated', pod({ tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute' }] }), node(taint('NoSchedule')), 'node(s) had untolerated taint {k: }'],
    ['selected', pod({ nodeSelector: { disk: 'ssd' } }), node({ labels: { disk: 'ssd' } }), undefined],
    ['not selected', pod({ nodeSelector: { disk: 'ssd' } }), node(), "node(s) didn't match Pod's node affinity/selector"],
    ['affine', pod(term('zone', 'In', 'a', 'b')), node({ labels: { zone: 'b' } }), undefined],
    ['not affine', pod(term('zone', 'NotIn', 'b')), node({ labels: { zone: 'b' } }), "node(s) didn't match Pod's node affinity/selector"],
    ['affine by number', pod(term('gen', 'Gt', '4')), node({ labels: { gen: '10' } }), undefined],
    ['large enough', pod(asks('2', '1Gi')), node(), undefined],
    ['short of cpu', pod(asks('2001m', '0')), node(), 'Insufficient cpu'],
    ['short of memory', pod(asks('0', '1025Mi')), node(), 'Insufficient memory'],
  ])('%s', (_what, p, n, expected) => {
    expect(refusal(p, { node: n, promised: nothing })).toBe(expected)
  })

  test('counting what is promised already', () => {
    const promised = { cpuMillis: 1500, memoryBytes: 0, pods: 1 }
    expect(refusal(pod(asks('500m', '0')), { node: node(), promised })).toBeUndefined()
    expect(refusal(pod(asks('501m', '0')), { node: node(), promised })).toBe('Insufficient cpu')
    expect(refusal(pod(), { node: node(), promised: { ...promised, pods: 3 } })).toBe('Too many pods')
  })

  test('and the reasons are counted', () => {
    expect(explainRefusals(3, ['Insufficient cpu', 'node(s) were not ready', 'Insufficient cpu'])).toBe(
      '0/3 nodes are available: 2 Insufficient cpu, 1 node(s) were not ready.',
    )
    expect(explainRefusals(0, [])).toBe('0/0 nodes are available.')
  })
})

test('init containers run before the others: the larger sum counts', () => {
  const c = (cpu: string) => ({ name: 'c', resources: { requests: { cpu } } })
  const p = pod({ containers: [c('100m'), c('200m')], initContainers: [c('250m')] })
  expect(requestsOf(p).cpuMillis).toBe(300)
  expect(requestsOf(pod({ containers: [c('100m')], initContainers: [c('250m')] })).cpuMillis).toBe(250)
})

describe('the score', () => {
  const capacity = { cpuMillis: 2000, memoryBytes: 1000, pods: 110 }
  const usage = (cpuMillis: number, memoryBytes: number) => ({ cpuMillis, memoryBytes, cpuCapacityMillis: 2000, memoryCapacityBytes: 1000 })
  const base = { promised: nothing, capacity, recent: nothing, siblings: 0 }

  test('goes by what is measured, whatever was promised', () => {
    const idle = score({ ...base, usage: usage(0, 0), promised: { cpuMillis: 2000, memoryBytes: 1000, pods: 9 } })
    const busy = score({ ...base, usage: usage(2000, 500) })
    expect([idle.total, busy.total]).toEqual([100, 25])
  })
  test('falls back to requests, and says so', () => {
    const s = score({ ...base, usage: undefined, promised: { cpuMillis: 1000, memoryBytes: 0, pods: 1 } })
    expect(s.total).toBe(75)
    expect(inWords(s)).toBe('cpu 50%, memory 0% requested')
  })
  test('adds what was placed too lately to be measured', () => {
    const s = score({ ...base, usage: usage(500, 0), recent: { cpuMillis: 500, memoryBytes: 500, pods: 0 } })
    expect(inWords(s)).toBe('cpu 50%, memory 50% measured')
  })
  test('keeps replicas of one owner apart', () => {
    const s = score({ ...base, usage: usage(0, 0), siblings: 2 })
    expect(s.total).toBe(80)
    expect(inWords(s)).toBe('cpu 0%, memory 0% measured, 2 pods of the same owner')
  })
  test('never falls below nothing left', () => {
    expect(score({ ...base, usage: usage(9000, 9000) }).total).toBe(0)
  })
})

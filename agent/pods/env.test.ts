import { describe, expect, test } from 'vitest'
import { isWherryError } from '../../api/errors.ts'
import type { Container, Pod } from '../../api/objects.ts'
import { containerEnv, expand, type Downward } from './env.ts'
import { parseQuantity } from './quantity.ts'

const pod = {
  metadata: { name: 'web-1', namespace: 'shop', uid: 'u-1', resourceVersion: '1', creationTimestamp: '', labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image: 'i', resources: { limits: { cpu: '250m', memory: '64Mi' } } }, { name: 'free', image: 'i' }] },
} as unknown as Pod
const downward: Downward = {
  pod,
  node: 'a',
  hostIPs: ['192.0.2.1'],
  podIPs: ['10.244.0.2', 'fd00::2'],
  capacity: { cpuMillis: 2000, memoryBytes: 1024 },
}

function env(vars: Container['env'], container = pod.spec!.containers[0]!): Record<string, string> {
  return Object.fromEntries(containerEnv({ ...container, env: vars }, 'spec.containers[0]', downward).map((e) => [e.name, e.value]))
}

function refusal(vars: Partial<Container>): string {
  try {
    containerEnv({ name: 'web', image: 'i', ...vars }, 'spec.containers[0]', downward)
  } catch (e) {
    if (isWherryError(e, 'CONTAINER_CONFIG')) return e.message
    throw e
  }
  return 'none'
}

test.each([
  ['metadata.name', 'web-1'],
  ['metadata.namespace', 'shop'],
  ['metadata.uid', 'u-1'],
  ["metadata.labels['app']", 'web'],
  ["metadata.labels['none']", ''],
  ['spec.nodeName', 'a'],
  ['status.podIP', '10.244.0.2'],
  ['status.podIPs', '10.244.0.2,fd00::2'],
  ['status.hostIP', '192.0.2.1'],
])('fieldRef %s', (fieldPath, value) => {
  expect(env([{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }])).toEqual({ X: value })
})

test.each([
  ['limits.cpu', undefined, '1'],
  ['limits.cpu', '1m', '250'],
  ['limits.memory', undefined, '67108864'],
  ['limits.memory', '1Mi', '64'],
  ['requests.cpu', '1m', '250'],
])('resourceFieldRef %s divided by %s', (resource, divisor, value) => {
  expect(env([{ name: 'X', valueFrom: { resourceFieldRef: { resource, divisor } } }])).toEqual({ X: value })
})

test('a container without limits has those of the node', () => {
  const vars = [{ name: 'X', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }]
  expect(env(vars, pod.spec!.containers[1])).toEqual({ X: '2' })
  expect(env([{ name: 'X', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', containerName: 'free' } } }])).toEqual({ X: '2' })
})

describe('references', () => {
  test('to earlier variables are replaced, others stay', () => {
    expect(env([{ name: 'A', value: '1' }, { name: 'B', value: '$(A)-$(C)-$$(A)' }, { name: 'C', value: '3' }])).toEqual({ A: '1', B: '1-$(C)-$(A)', C: '3' })
  })

  test('a later value of a name wins', () => {
    expect(env([{ name: 'A', value: '1' }, { name: 'A', value: '2' }])).toEqual({ A: '2' })
  })

  test.each([
    ['$(A)', 'x'],
    ['$$$(A)', '$x'],
    ['$A', '$A'],
    ['$(', '$('],
  ])('%s', (text, value) => expect(expand(text, new Map([['A', 'x']]))).toBe(value))
})

test.each([
  [{ env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } }] }, 'spec.containers[0].env[0].valueFrom.configMapKeyRef'],
  [{ env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'c', key: 'k' } } }] }, 'spec.containers[0].env[0].valueFrom.secretKeyRef'],
  [{ env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.none' } } }] }, 'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath'],
  [{ envFrom: [{ configMapRef: { name: 'c' } }] }, 'spec.containers[0].envFrom'],
])('what is not offered is named: %j', (container, field) => {
  expect(refusal(container)).toContain(`${field}: `)
})

test.each([
  ['1', 1],
  ['250m', 0.25],
  ['1.5', 1.5],
  ['64Mi', 67_108_864],
  ['2k', 2000],
  ['1e3', 1000],
  ['3E', 3e18],
  [2, 2],
])('the amount %s', (text, value) => expect(parseQuantity(text)).toBeCloseTo(value, 6))

test.each(['', 'x', '1 Gi', '1Gib', '--1'])('%j is not an amount', (text) => {
  expect(() => parseQuantity(text)).toThrow(expect.toSatisfy((e: unknown) => isWherryError(e, 'CONTAINER_CONFIG')) as Error)
})

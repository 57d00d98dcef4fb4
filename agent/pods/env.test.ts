import { describe, expect, test } from 'vitest'
import { isWherryError } from '../../api/errors.ts'
import type { Container, Pod } from '../../api/objects.ts'
import type { ObjectData } from '../objects/objects.ts'
import type { Downward } from './downward.ts'
import { containerEnv, expand, type ContainerEnv, type EnvSupply } from './env.ts'
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

const data = (values: Readonly<Record<string, string>>, binary = false): ObjectData =>
  new Map(Object.entries(values).map(([key, text]) => [key, { bytes: Buffer.from(text), binary }]))
const objects: Readonly<Record<string, ObjectData>> = {
  'ConfigMap settings': new Map([...data({ COLOUR: 'blue', 'dotted.key': '1' }), ...data({ picture: 'x' }, true)]),
  'Secret keys': data({ PASSWORD: 'sesame', COLOUR: 'red' }),
}
const supply: EnvSupply = { object: (kind, name) => objects[`${kind} ${name}`], services: [{ name: 'WEB_SERVICE_HOST', value: '10.96.0.9' }] }
const path = 'spec.containers[0]'

const whole = (vars: Partial<Container>, services: EnvSupply['services'] = []): ContainerEnv =>
  containerEnv({ name: 'web', image: 'i', ...vars }, path, downward, { ...supply, services })
const named = ({ env }: ContainerEnv): Record<string, string> => Object.fromEntries(env.map((e) => [e.name, e.value]))
const env = (vars: Container['env'], container = pod.spec!.containers[0]!): Record<string, string> => named(whole({ ...container, env: vars }))

function refusal(vars: Partial<Container>, code: 'CONTAINER_CONFIG' | 'OBJECT_ABSENT' = 'CONTAINER_CONFIG'): string {
  try {
    whole(vars)
  } catch (e) {
    if (isWherryError(e, code)) return e.message
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

test('a field that is none is named', () => {
  const vars = { env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.none' } } }] }
  expect(refusal(vars)).toContain('spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: ')
})

describe('values of objects', () => {
  const from = (name: string, key: string, more: object = {}) => [{ name: 'X', valueFrom: { configMapKeyRef: { name, key, ...more } } }]

  test('a key of a ConfigMap, and one of a Secret, which a later variable may use', () => {
    const secret = { name: 'P', valueFrom: { secretKeyRef: { name: 'keys', key: 'PASSWORD' } } }
    expect(env([...from('settings', 'COLOUR'), secret, { name: 'BOTH', value: '$(X) $(P)' }])).toEqual({ X: 'blue', P: 'sesame', BOTH: 'blue sesame' })
  })

  test('all keys of an object behind a prefix; a later source wins, and what is written out wins over both', () => {
    const envFrom = [{ configMapRef: { name: 'settings' }, prefix: 'A_' }, { configMapRef: { name: 'settings' } }, { secretRef: { name: 'keys' } }]
    const found = named(whole({ envFrom, env: [{ name: 'PASSWORD', value: 'open $(COLOUR)' }] }))
    expect(found).toEqual({ A_COLOUR: 'blue', 'A_dotted.key': '1', COLOUR: 'red', 'dotted.key': '1', PASSWORD: 'open red' })
  })

  test('names that no variable can have are left out, and told', () => {
    const { env: left, skipped } = whole({ envFrom: [{ secretRef: { name: 'keys' }, prefix: 'a=' }] })
    expect(left).toEqual([])
    expect(skipped).toEqual(['Keys [PASSWORD, COLOUR] of secret "keys" were left out: no variable can have such a name'])
  })

  test.each([
    [{ env: from('none', 'k') }, 'spec.containers[0].env[0].valueFrom.configMapKeyRef: configmap "none" not found'],
    [{ env: from('settings', 'k') }, 'spec.containers[0].env[0].valueFrom.configMapKeyRef.key: configmap "settings" has no key "k"'],
    [{ env: from('settings', 'picture') }, 'spec.containers[0].env[0].valueFrom.configMapKeyRef.key: configmap "settings" has no key "picture"'],
    [{ envFrom: [{ secretRef: { name: 'none' } }] }, 'spec.containers[0].envFrom[0].secretRef: secret "none" not found'],
  ])('what is not there is named: %j', (container, message) => expect(refusal(container, 'OBJECT_ABSENT')).toBe(message))

  test('what is optional and not there is no variable', () => {
    expect(env([...from('none', 'k', { optional: true }), ...from('settings', 'k', { optional: true })])).toEqual({})
    expect(whole({ envFrom: [{ configMapRef: { name: 'none', optional: true } }] })).toEqual({ env: [], skipped: [] })
  })

  test('services come first: others go before them and may use them', () => {
    const found = named(whole({ env: [{ name: 'URL', value: 'http://$(WEB_SERVICE_HOST)' }] }, supply.services))
    expect(found).toEqual({ WEB_SERVICE_HOST: '10.96.0.9', URL: 'http://10.96.0.9' })
    expect(named(whole({ env: [{ name: 'WEB_SERVICE_HOST', value: 'own' }] }, supply.services))).toEqual({ WEB_SERVICE_HOST: 'own' })
  })
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

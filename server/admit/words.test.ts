import { expect, test } from 'vitest'
import { customResourceDefinition } from '../../test/kit/custom.ts'
import * as kit from '../../test/kit/objects.ts'
import { wordsOf } from './words.ts'

test.each([
  ['a cluster IP', { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'], ports: [{ port: 80 }] }, ['serviceips/10.96.0.10']],
  ['one of each family, however it is written', { clusterIPs: ['10.96.0.10', 'FD00::0A'] }, ['serviceips/10.96.0.10', 'serviceips/fd00::a']],
  ['no address', { clusterIP: 'None', clusterIPs: ['None'] }, []],
  ['a name elsewhere', { type: 'ExternalName', externalName: 'db.example.com' }, []],
  [
    'node ports by protocol, and that for health checks',
    { ports: [{ port: 53, nodePort: 30053, protocol: 'UDP' }, { port: 53, nodePort: 30053 }], healthCheckNodePort: 31000 },
    ['servicenodeports/udp-30053', 'servicenodeports/tcp-30053', 'servicenodeports/tcp-31000'],
  ],
])('a service with %s', (_what, spec, words) => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: kit.service({}).metadata, spec }
  expect(wordsOf('services', service as never)).toEqual(words)
})

test('a definition with the names that it was given, each once', () => {
  const acceptedNames = { plural: 'sheep', singular: 'sheep', kind: 'Sheep', listKind: 'SheepList', shortNames: ['sh'] }
  const words = ['customresources/stable.example.com/sheep', 'customresources/stable.example.com/sh', 'customkinds/stable.example.com/Sheep', 'customkinds/stable.example.com/SheepList']
  expect(wordsOf('customresourcedefinitions.apiextensions.k8s.io', customResourceDefinition({ status: { acceptedNames } }) as never)).toEqual(words)
  expect(wordsOf('customresourcedefinitions.apiextensions.k8s.io', customResourceDefinition() as never)).toEqual([])
})

test('a node with its pod ranges; other kinds hold nothing', () => {
  const node = kit.node({ spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd01::/64'] } })
  expect(wordsOf('nodes', node as never)).toEqual(['podcidrs/10.244.1.0-24', 'podcidrs/fd01::-64'])
  expect(wordsOf('pods', kit.pod({}) as never)).toEqual([])
})

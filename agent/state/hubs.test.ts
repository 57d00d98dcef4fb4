import { expect, test } from 'vitest'
import type { StreamFrame } from '../../api/frames.ts'
import type { KubeObject } from '../../api/objects.ts'
import { hubsAfter } from './hubs.ts'
import { createTables } from './tables.ts'

interface Wish {
  readonly addresses: readonly string[]
  readonly port?: number
  readonly namespace?: string
  readonly service?: string
  readonly ready?: boolean
}

let revision = 0
const slice = (name: string, { addresses, port = 6443, namespace = 'default', service = 'kubernetes', ready = true }: Wish): StreamFrame => ({
  kind: 'set',
  resource: 'endpointslices.discovery.k8s.io',
  revision: ++revision,
  object: {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, uid: name, resourceVersion: String(revision), creationTimestamp: '', labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready } })),
    ports: [{ name: 'https', port }],
  } as KubeObject,
})
const gone = (key: string): StreamFrame => ({ kind: 'delete', resource: 'endpointslices.discovery.k8s.io', revision: ++revision, key })

/** What is known after each batch of frames. */
function after(...batches: readonly (readonly StreamFrame[])[]) {
  const tables = createTables()
  return batches.map((frames) => {
    for (const frame of frames) tables.take(frame)
    return hubsAfter(tables.take({ kind: 'sync', revision: ++revision })!, tables)
  })
}

test('every address of the slices of the service `kubernetes` is a hub', () => {
  const four = slice('kubernetes', { addresses: ['10.0.0.1', '10.0.0.2'] })
  const six = slice('kubernetes-1', { addresses: ['fd00::1'], port: 443 })
  expect(after([six, four])).toEqual([['https://10.0.0.1:6443', 'https://10.0.0.2:6443', 'https://[fd00::1]:443']])
})

test('the word is given when a slice of the service comes, changes or goes, and not else', () => {
  const other = { addresses: ['10.0.0.9'], service: 'web' }
  expect(
    after(
      [slice('web', other)],
      [slice('kubernetes', { addresses: ['10.0.0.1'] })],
      [slice('web', { ...other, addresses: [] })],
      [slice('kubernetes', { addresses: ['10.0.0.1', '10.0.0.2'] })],
      [gone('default/web')],
      [gone('default/kubernetes')],
    ),
  ).toEqual([undefined, ['https://10.0.0.1:6443'], undefined, ['https://10.0.0.1:6443', 'https://10.0.0.2:6443'], undefined, []])
})

test('a service of this name elsewhere, endpoints that are not ready and what is no address are no hubs', () => {
  const elsewhere = slice('kubernetes', { addresses: ['10.0.0.1'], namespace: 'other' })
  const unready = slice('kubernetes', { addresses: ['10.0.0.2'], ready: false })
  const odd = slice('kubernetes-1', { addresses: ['a b'] })
  expect(after([elsewhere], [unready, odd])).toEqual([undefined, []])
})

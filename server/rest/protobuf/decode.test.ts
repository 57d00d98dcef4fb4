import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { StatusError } from '../../../api/status.ts'
import { decodeObject } from './decode.ts'
import messages from './messages.json' with { type: 'json' }

type Fill = (w: protobuf.Writer) => void

/** Writers of single fields: number and content. */
const text = (at: number, value: string): Fill => (w) => void w.uint32((at << 3) | 2).string(value)
const int = (at: number, value: number): Fill => (w) => void w.uint32(at << 3).int64(value)
const bytes = (at: number, value: Uint8Array): Fill => (w) => void w.uint32((at << 3) | 2).bytes(value)
const message = (at: number, ...fields: readonly Fill[]): Fill => bytes(at, write(fields))

function write(fields: readonly Fill[]): Uint8Array {
  const writer = protobuf.Writer.create()
  for (const field of fields) field(writer)
  return writer.finish()
}

function body(apiVersion: string, kind: string, ...fields: readonly Fill[]): Uint8Array {
  return Buffer.concat([Buffer.from('k8s\0'), write([message(1, text(1, apiVersion), text(2, kind)), message(2, ...fields), text(3, ''), text(4, '')])])
}

const decode = (...args: Parameters<typeof body>): unknown => decodeObject(body(...args))

describe('objects from protobuf', () => {
  test('strings, maps, lists, bytes and messages; what is not set is left out', () => {
    const meta = message(1, text(1, 's'), text(3, ''), text(5, ''), message(8), message(11, text(1, 'k'), text(2, 'v')), message(11, text(1, 'e'), text(2, '')))
    const secret = decode('v1', 'Secret', meta, message(2, text(1, 'key'), bytes(2, Buffer.from('hello'))), text(3, 'Opaque'), int(5, 0))
    expect(secret).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', labels: { k: 'v', e: '' } },
      data: { key: 'aGVsbG8=' },
      type: 'Opaque',
      immutable: false,
    })
  })

  test('zero replicas are zero, zero nodePorts are none', () => {
    expect(decode('apps/v1', 'Deployment', message(2, int(1, 0), int(5, 0)))).toMatchObject({ spec: { replicas: 0 } })
    expect(decode('v1', 'Service', message(2, message(1, int(3, 80), int(5, 0))))).toEqual({ apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 80 }] } })
  })

  test('numbers that are strings, times, quantities and inlined structs', () => {
    const port = message(1, int(3, 80), message(4, int(1, 1), int(2, 0), text(3, 'http')))
    expect(decode('v1', 'Service', message(2, port))).toMatchObject({ spec: { ports: [{ port: 80, targetPort: 'http' }] } })
    const lease = decode('coordination.k8s.io/v1', 'Lease', message(2, message(4, int(1, 1_900_000_000), int(2, 5_000))))
    expect(lease).toMatchObject({ spec: { renewTime: '2030-03-17T17:46:40.000005Z' } })
    const volume = message(1, text(1, 'v'), message(2, message(2)))
    const requests = message(2, message(8, message(2, text(1, 'cpu'), message(2, text(1, '1')))))
    expect(decode('v1', 'Pod', message(2, volume, requests))).toMatchObject({
      spec: { volumes: [{ name: 'v', emptyDir: {} }], containers: [{ resources: { requests: { cpu: '1' } } }] },
    })
  })

  test('events, in the words that service proxies use', () => {
    const meta = message(1, text(1, 'node1.1'), text(3, 'default'))
    const series = message(3, int(1, 2), message(2, int(1, 1_900_000_000), int(2, 0)))
    const regarding = message(8, text(1, 'Node'), text(3, 'node1'))
    expect(decode('events.k8s.io/v1', 'Event', meta, message(2, int(1, 1_900_000_000)), series, text(4, 'kube-proxy'), text(6, 'StartKubeProxy'), regarding, text(10, 'it starts'), int(15, 0))).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'node1.1', namespace: 'default' },
      eventTime: '2030-03-17T17:46:40.000000Z',
      series: { count: 2, lastObservedTime: '2030-03-17T17:46:40.000000Z' },
      reportingController: 'kube-proxy',
      action: 'StartKubeProxy',
      regarding: { kind: 'Node', name: 'node1' },
      note: 'it starts',
    })
  })

  test('a zero that was said is kept where absence would mean something else', () => {
    expect(decode('scheduling.k8s.io/v1', 'PriorityClass', int(2, 0), int(3, 0))).toMatchObject({ value: 0 })
    expect(decode('scheduling.k8s.io/v1', 'PriorityClass', int(2, 0), int(3, 0))).not.toHaveProperty('globalDefault')
    const none = message(2, message(3, int(1, 0), int(2, 0)))
    expect(decode('policy/v1', 'PodDisruptionBudget', none)).toMatchObject({ spec: { maxUnavailable: 0 } })
    expect(decode('v1', 'PersistentVolumeClaim', message(2, text(5, '')))).toMatchObject({ spec: { storageClassName: '' } })
    expect(decode('batch/v1', 'Job', message(2, int(7, 0), int(9, 0)))).toMatchObject({ spec: { backoffLimit: 0 } })
  })

  test('what is inlined in JSON has no field of its own', () => {
    const source = message(2, message(3, text(1, '/data')))
    expect(decode('v1', 'PersistentVolume', message(2, source))).toMatchObject({ spec: { hostPath: { path: '/data' } } })
    const http = message(2, message(1, message(1, text(1, '/'), text(3, 'Prefix'))))
    expect(decode('networking.k8s.io/v1', 'Ingress', message(2, message(3, text(1, 'a.test'), http)))).toMatchObject({
      spec: { rules: [{ host: 'a.test', http: { paths: [{ path: '/', pathType: 'Prefix' }] } }] },
    })
  })

  test('a kind of two versions has the messages of each', () => {
    const target = message(1, text(1, 'Deployment'), text(2, 'web'))
    expect(decode('autoscaling/v1', 'HorizontalPodAutoscaler', message(2, target, int(3, 5), int(4, 80)))).toMatchObject({
      spec: { maxReplicas: 5, targetCPUUtilizationPercentage: 80 },
    })
    const metric = message(4, text(1, 'Resource'), message(4, text(1, 'cpu'), message(2, text(1, 'Utilization'), int(4, 80))))
    expect(decode('autoscaling/v2', 'HorizontalPodAutoscaler', message(2, target, int(3, 5), metric))).toMatchObject({
      spec: { metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }] },
    })
  })

  test('a field of free form is JSON', () => {
    const data = (words: string) => message(2, bytes(1, Buffer.from(words)))
    expect(decode('apps/v1', 'ControllerRevision', data('{"spec":{"a":[1]}}'), int(3, 0))).toMatchObject({ data: { spec: { a: [1] } }, revision: 0 })
    expect(() => decode('apps/v1', 'ControllerRevision', data('{'))).toThrow(StatusError)
  })

  test('DeleteOptions come under any version', () => {
    expect(decode('v1', 'DeleteOptions', int(1, 0))).toEqual({ apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 })
    expect(decode('apps/v1', 'DeleteOptions', text(4, 'Orphan'))).toMatchObject({ propagationPolicy: 'Orphan' })
  })

  test.each([
    ['JSON', Buffer.from('{}')],
    ['nothing', new Uint8Array()],
    ['a body that breaks off', body('v1', 'Secret', text(3, 'Opaque')).slice(0, -8)],
    ['a length beyond the end', Buffer.from('k8s\0\x0a\xff\xff\x03', 'latin1')],
    ['a kind that is not served', body('batch/v1', 'Widget')],
    ['a kind by a bad name', body('v1', 'constructor')],
    ['a field that is not known', body('v1', 'Secret', int(99, 1))],
    ['noise', Buffer.from('k8s\0\x07\x07\x07\x07\x07\x07', 'latin1')],
  ])('%s is refused', (_, given) => {
    expect(() => decodeObject(given)).toThrow(StatusError)
  })
})

test('every type that a message names is there', () => {
  const scalars = new Set(['string', 'int', 'bool', 'bytes', 'meta.Time', 'meta.MicroTime', 'Quantity', 'IntOrString', 'meta.FieldsV1', 'ExtraValue', 'runtime.RawExtension'])
  const types = Object.values(messages).flatMap((fields) => Object.values(fields).map((field: string) => field.split(' ').at(-1)!))
  expect(types.filter((type) => !scalars.has(type) && !Object.hasOwn(messages, type))).toEqual([])
})

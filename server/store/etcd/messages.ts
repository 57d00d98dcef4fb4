/**
 * The messages of etcd's API v3 that the store speaks, by the field numbers of etcd's rpc.proto and kv.proto (3.4 to 3.6).
 * Revisions come as numbers: they are far below 2^53.
 */
import protobuf from 'protobufjs'

type Fields = Readonly<Record<string, readonly [number: number, type: string, rule?: 'repeated']>>

const fields: Readonly<Record<string, Fields>> = {
  ResponseHeader: { clusterId: [1, 'uint64'], revision: [3, 'int64'] },
  KeyValue: { key: [1, 'bytes'], modRevision: [3, 'int64'], value: [5, 'bytes'] },
  Event: { type: [1, 'int32'], kv: [2, 'KeyValue'] },
  RangeRequest: { key: [1, 'bytes'], rangeEnd: [2, 'bytes'], limit: [3, 'int64'], revision: [4, 'int64'], countOnly: [9, 'bool'] },
  RangeResponse: { header: [1, 'ResponseHeader'], kvs: [2, 'KeyValue', 'repeated'], more: [3, 'bool'] },
  PutRequest: { key: [1, 'bytes'], value: [2, 'bytes'] },
  DeleteRangeRequest: { key: [1, 'bytes'] },
  RequestOp: { range: [1, 'RangeRequest'], put: [2, 'PutRequest'], remove: [3, 'DeleteRangeRequest'] },
  ResponseOp: { range: [1, 'RangeResponse'] },
  Compare: { result: [1, 'int32'], target: [2, 'int32'], key: [3, 'bytes'], modRevision: [6, 'int64'] },
  TxnRequest: { compare: [1, 'Compare', 'repeated'], success: [2, 'RequestOp', 'repeated'], failure: [3, 'RequestOp', 'repeated'] },
  TxnResponse: { header: [1, 'ResponseHeader'], succeeded: [2, 'bool'], responses: [3, 'ResponseOp', 'repeated'] },
  CompactionRequest: { revision: [1, 'int64'] },
  CompactionResponse: { header: [1, 'ResponseHeader'] },
  WatchCreateRequest: { key: [1, 'bytes'], rangeEnd: [2, 'bytes'], startRevision: [3, 'int64'] },
  WatchRequest: { create: [1, 'WatchCreateRequest'] },
  WatchResponse: {
    header: [1, 'ResponseHeader'],
    created: [3, 'bool'],
    canceled: [4, 'bool'],
    compactRevision: [5, 'int64'],
    cancelReason: [6, 'string'],
    events: [11, 'Event', 'repeated'],
  },
}

export interface Header {
  /** Hexadecimal, as etcd's own tools print it. */
  readonly clusterId: string
  readonly revision: number
}

export interface KeyValue {
  readonly key: Buffer
  readonly value: Buffer
  readonly modRevision: number
}

/** `kv.modRevision` is the revision of the event; a deletion has no value. */
export interface Event {
  readonly removed: boolean
  readonly kv: KeyValue
}

export interface RangeRequest {
  readonly key: Uint8Array
  readonly rangeEnd?: Uint8Array
  readonly limit?: number
  readonly revision?: number
  readonly countOnly?: boolean
}

export interface RangeResponse {
  readonly header: Header
  readonly kvs: readonly KeyValue[]
  readonly more: boolean
}

/** True if the key was last changed at this revision; 0: there is no such key. */
export interface Unmoved {
  readonly key: Uint8Array
  readonly modRevision: number
}

export interface RequestOp {
  readonly range?: RangeRequest
  readonly put?: { readonly key: Uint8Array; readonly value: Uint8Array }
  readonly remove?: { readonly key: Uint8Array }
}

export interface TxnRequest {
  readonly compare: readonly Unmoved[]
  readonly success: readonly RequestOp[]
  readonly failure: readonly RequestOp[]
}

export interface TxnResponse {
  readonly header: Header
  readonly succeeded: boolean
  /** What the ranges among the operations found, in their order. */
  readonly ranges: readonly (readonly KeyValue[])[]
}

export interface WatchResponse {
  readonly header: Header
  readonly created: boolean
  readonly canceled: boolean
  /** Where the watch began before the history that is kept; 0 otherwise. */
  readonly compactRevision: number
  readonly cancelReason: string
  readonly events: readonly Event[]
}

/** A request in bytes, an answer out of bytes. */
export interface Method<Request, Response> {
  readonly path: string
  readonly encode: (request: Request) => Buffer
  readonly decode: (bytes: Uint8Array) => Response
}

type Decoded = Readonly<Record<string, unknown>>

const compareMod = 2

/** All calls that the store makes. Made once for each client. */
export function createMethods() {
  const root = protobuf.Root.fromJSON({ nested: Object.fromEntries(Object.entries(fields).map(([name, of]) => [name, { fields: rows(of) }])) })
  const encode = (type: string, message: object): Buffer => Buffer.from(root.lookupType(type).encode(message).finish())
  const decode = (type: string, bytes: Uint8Array): Decoded => root.lookupType(type).decode(bytes) as unknown as Decoded
  const method = <Q extends object, A>(path: string, name: string, make: { ask?: (q: Q) => object; read: (m: Decoded) => A }): Method<Q, A> => ({
    path,
    encode: (request) => encode(`${name}Request`, make.ask?.(request) ?? request),
    decode: (bytes) => make.read(decode(`${name}Response`, bytes)),
  })
  return {
    range: method<RangeRequest, RangeResponse>('/etcdserverpb.KV/Range', 'Range', { read: readRange }),
    txn: method<TxnRequest, TxnResponse>('/etcdserverpb.KV/Txn', 'Txn', {
      ask: (q) => ({ ...q, compare: q.compare.map((c) => ({ ...c, target: compareMod })) }),
      read: (m) => ({
        header: readHeader(m['header']),
        succeeded: Boolean(m['succeeded']),
        ranges: list(m['responses']).flatMap((r) => (r['range'] ? [readRange(r['range'] as Decoded).kvs] : [])),
      }),
    }),
    compact: method<{ readonly revision: number }, Header>('/etcdserverpb.KV/Compact', 'Compaction', { read: (m) => readHeader(m['header']) }),
    watch: method<{ readonly create: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array; readonly startRevision: number } }, WatchResponse>(
      '/etcdserverpb.Watch/Watch',
      'Watch',
      { read: readWatch },
    ),
  }
}

const rows = (of: Fields) => Object.fromEntries(Object.entries(of).map(([name, [id, type, rule]]) => [name, { id, type, ...(rule && { rule }) }]))
const list = (value: unknown): readonly Decoded[] => (value ?? []) as readonly Decoded[]
/** Of a number, or of the object that protobufjs makes of 64 bits. */
const number = (value: unknown): number => Number(value ?? 0)
const bytes = (value: unknown): Buffer => Buffer.from((value as Uint8Array | undefined) ?? [])

function readHeader(value: unknown): Header {
  const header = (value ?? {}) as { clusterId?: { toString(radix: number): string }; revision?: unknown }
  return { clusterId: header.clusterId?.toString(16) ?? '', revision: number(header.revision) }
}

const readKeyValue = (kv: Decoded): KeyValue => ({ key: bytes(kv['key']), value: bytes(kv['value']), modRevision: number(kv['modRevision']) })

const readRange = (m: Decoded): RangeResponse => ({
  header: readHeader(m['header']),
  kvs: list(m['kvs']).map(readKeyValue),
  more: Boolean(m['more']),
})

const readWatch = (m: Decoded): WatchResponse => ({
  header: readHeader(m['header']),
  created: Boolean(m['created']),
  canceled: Boolean(m['canceled']),
  compactRevision: number(m['compactRevision']),
  cancelReason: (m['cancelReason'] ?? '') as string,
  events: list(m['events']).map((e) => ({ removed: number(e['type']) === 1, kv: readKeyValue(e['kv'] as Decoded) })),
})

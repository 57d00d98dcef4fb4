/**
 * Objects that clients send as `application/vnd.kubernetes.protobuf`, which kubectl from 1.32 on does in `kubectl create
 * deployment` and its like. Answers are always JSON, which the same clients accept. The field numbers in messages.json
 * are those of the generated.proto files of Kubernetes 1.33; an empty name there stands for a struct that is inlined in
 * JSON.
 */
import protobuf from 'protobufjs'
import { StatusError, badRequest } from '../../../api/status.ts'
import messages from './messages.json' with { type: 'json' }

export const protobufType = 'application/vnd.kubernetes.protobuf'

/** `FIELD TYPE`, `FIELD kept TYPE` (where zero is no absence), `FIELD list TYPE` or `FIELD map TYPE`, by field number. */
type Message = Readonly<Record<string, string>>
type JsonMap = Record<string, unknown>
type Reader = protobuf.Reader

const known: Readonly<Record<string, Message>> = messages

/** What stands before each object. */
const magic = Buffer.from('k8s\0')
const maxDepth = 100

/** The start of a message's name, by the group and version that an object states. */
const packages: Readonly<Record<string, string>> = {
  v1: 'core',
  'apps/v1': 'apps',
  'discovery.k8s.io/v1': 'discovery',
  'coordination.k8s.io/v1': 'coordination',
  'events.k8s.io/v1': 'events',
  'policy/v1': 'policy',
  'autoscaling/v1': 'autoscaling',
  'rbac.authorization.k8s.io/v1': 'rbac',
  'authorization.k8s.io/v1': 'authorization',
  'authentication.k8s.io/v1': 'authentication',
  'certificates.k8s.io/v1': 'certificates',
  'autoscaling/v2': 'autoscaling2',
  'batch/v1': 'batch',
  'networking.k8s.io/v1': 'networking',
  'scheduling.k8s.io/v1': 'scheduling',
  'storage.k8s.io/v1': 'storage',
}

/** Scalars that mean something when they are zero: absent would mean a default. Others are zero where they are not set. */
const zeroMatters: ReadonlySet<string> = new Set(
  `replicas terminationGracePeriodSeconds activeDeadlineSeconds revisionHistoryLimit progressDeadlineSeconds partition
  automountServiceAccountToken enableServiceLinks shareProcessNamespace setHostnameAsFQDN hostUsers priority runAsUser
  runAsGroup fsGroup runAsNonRoot privileged readOnlyRootFilesystem allowPrivilegeEscalation hostProcess optional immutable
  allocateLoadBalancerNodePorts gracePeriodSeconds deletionGracePeriodSeconds orphanDependents controller
  blockOwnerDeletion defaultMode mode expirationSeconds ready serving terminating leaseDurationSeconds leaseTransitions
  tolerationSeconds started restartCount exitCode`.split(/\s+/),
)

/**
 * One object from its bytes.
 * @throws StatusError BadRequest
 */
export function decodeObject(bytes: Uint8Array): JsonMap {
  if (!magic.equals(bytes.subarray(0, magic.length))) throw badRequest('the request body is not Kubernetes protobuf: it does not start with k8s')
  try {
    const { apiVersion = '', kind = '', raw } = decodeEnvelope(protobuf.Reader.create(bytes.subarray(magic.length)))
    const name = kind === 'DeleteOptions' ? 'meta.DeleteOptions' : `${packages[apiVersion] ?? apiVersion}.${kind}`
    if (!Object.hasOwn(known, name)) throw badRequest(`${kind} in ${apiVersion || 'no version'} cannot be read from protobuf: send JSON`)
    return { apiVersion, kind, ...(decodeMessage(protobuf.Reader.create(raw), name, 0) as JsonMap) }
  } catch (e) {
    if (e instanceof StatusError) throw e
    // Nothing but the bytes can be the reason: the reader met their end, or a tag that makes no sense.
    throw new StatusError('BadRequest', `the request body is not Kubernetes protobuf: ${(e as Error).message}`, undefined, { cause: e })
  }
}

/** runtime.Unknown: the type, and the bytes of the object. */
function decodeEnvelope(reader: Reader): { apiVersion?: string; kind?: string; raw: Uint8Array } {
  let type: JsonMap = {}
  let raw: Uint8Array = new Uint8Array()
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag >>> 3 === 1) type = decodeFields(reader, reader.uint32() + reader.pos, { 1: 'apiVersion string', 2: 'kind string' }, 'TypeMeta')
    else if (tag >>> 3 === 2) raw = reader.bytes()
    else reader.skipType(tag & 7)
  }
  return { ...type, raw }
}

function decodeMessage(reader: Reader, name: string, depth: number, end = reader.len): unknown {
  if (depth > maxDepth) throw badRequest(`the request body is nested deeper than ${maxDepth} levels`)
  const special = Object.hasOwn(specials, name) ? specials[name] : undefined
  if (special) return special.read(decodeFields(reader, end, special.fields, name))
  return decodeFields(reader, end, known[name]!, name, depth)
}

function decodeFields(reader: Reader, end: number, message: Message, name: string, depth = 0): JsonMap {
  const object: JsonMap = {}
  if (end > reader.len) throw badRequest(`the request body is not Kubernetes protobuf: invalid length of ${name}`)
  while (reader.pos < end) {
    const number = reader.uint32() >>> 3
    const field = Object.hasOwn(message, number) ? message[number]! : undefined
    if (field === undefined) throw badRequest(`field ${number} of the protobuf message ${name} is not known here: send JSON`)
    addField(object, reader, field, depth)
  }
  return object
}

function addField(object: JsonMap, reader: Reader, field: string, depth: number): void {
  const [name = '', ...rest] = field.split(' ')
  const type = rest.at(-1)!
  if (rest.length === 1 || rest[0] === 'kept') {
    const value = decodeValue(reader, type, depth)
    if (name === '') Object.assign(object, value)
    else if (value !== undefined && (rest[0] === 'kept' || isSet(value) || zeroMatters.has(name))) object[name] = value
  } else if (rest[0] === 'list') {
    const list = (object[name] ??= []) as unknown[]
    list.push(decodeValue(reader, type, depth))
  } else {
    const map = (object[name] ??= {}) as JsonMap
    const { key, value } = decodeEntry(reader, type, depth)
    if (key === '__proto__') throw badRequest('the request body has a field called __proto__, which is not allowed')
    map[key] = value
  }
}

const isSet = (value: unknown): boolean => value !== '' && value !== 0 && value !== false

function decodeEntry(reader: Reader, type: string, depth: number): { key: string; value: unknown } {
  const end = reader.uint32() + reader.pos
  let key = ''
  let value: unknown = type === 'string' || type === 'bytes' ? '' : {}
  while (reader.pos < end) {
    const number = reader.uint32() >>> 3
    if (number === 1) key = reader.string()
    else value = decodeValue(reader, type, depth)
  }
  return { key, value }
}

function decodeValue(reader: Reader, type: string, depth: number): unknown {
  switch (type) {
    case 'string':
      return reader.string()
    case 'bool':
      return reader.bool()
    case 'int':
      return numberOf(reader.int64())
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64')
    default:
      return decodeMessage(reader, type, depth + 1, reader.uint32() + reader.pos)
  }
}

/** Whole numbers come as a number or as its halves; beyond 2^53 they are rounded, as JSON clients round them. */
function numberOf(value: number | { readonly high: number; readonly low: number }): number {
  return typeof value === 'number' ? value : value.high * 2 ** 32 + (value.low >>> 0)
}

interface Special {
  readonly fields: Message
  readonly read: (fields: JsonMap) => unknown
}

const timeFields = { 1: 'seconds int', 2: 'nanos int' }

/** A time that is not set has no fields, and is left out. Seconds before 1970 and far ahead are those of Go's calendar. */
const time =
  (digits: 0 | 6) =>
  ({ seconds, nanos = 0 }: JsonMap): string | undefined => {
    if (seconds === undefined) return undefined
    const date = new Date(Number(seconds) * 1000)
    if (Number.isNaN(date.getTime())) throw badRequest('the request body has a time out of range')
    const fraction = digits === 0 ? '' : `.${String(Math.trunc(Number(nanos) / 1000)).padStart(6, '0')}`
    return `${date.toISOString().slice(0, 19)}${fraction}Z`
  }

/** What stands in a field of any type is JSON text. @param raw in base64 */
function anyJson(raw: string): unknown {
  try {
    return JSON.parse(Buffer.from(raw, 'base64').toString('utf8')) as unknown
  } catch (e) {
    throw new StatusError('BadRequest', 'the request body has a field of free form that is not JSON', undefined, { cause: e })
  }
}

/** Messages that are something else than an object in JSON. */
const specials: Readonly<Record<string, Special>> = {
  'meta.Time': { fields: timeFields, read: time(0) },
  'meta.MicroTime': { fields: timeFields, read: time(6) },
  Quantity: { fields: { 1: 'text string' }, read: ({ text }) => text ?? '0' },
  IntOrString: {
    fields: { 1: 'type int', 2: 'number int', 3: 'text string' },
    read: ({ type, number, text }) => (type === 1 ? (text ?? '') : (number ?? 0)),
  },
  ExtraValue: { fields: { 1: 'items list string' }, read: ({ items }) => items ?? [] },
  'meta.FieldsV1': { fields: { 1: 'raw bytes' }, read: () => undefined },
  'runtime.RawExtension': { fields: { 1: 'raw bytes' }, read: ({ raw = '' }) => anyJson(raw as string) },
}

/** The fields of each frame, as checks on decoded bytes. Fields that are not named here are let through unread. */
import { agentResources, type AgentFrame, type HubFrame, type NodeCall, type NodeReport, type StreamFrame } from './frames.ts'

/** Says what is wrong with the value at this path, or undefined. */
export type Check = (value: unknown, path: string) => string | undefined
type Plain = Readonly<Record<string, unknown>>

const nameOf = (value: unknown): string => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Uint8Array) return 'bytes'
  return typeof value === 'object' ? 'a map' : typeof value
}

/** A check by a predicate; `what` completes "must be ...". */
const be =
  (what: string, holds: (value: unknown) => boolean): Check =>
  (value, path) => {
    if (value === undefined) return `${path} is missing`
    return holds(value) ? undefined : `${path} must be ${what}, but is ${typeof value === 'number' ? value : nameOf(value)}`
  }

const isMap = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

const text = be('text', (v) => typeof v === 'string')
const name = be('text that is not empty', (v) => typeof v === 'string' && v !== '')
const flag = be('true or false', (v) => typeof v === 'boolean')
const count = be('a whole number, 0 or more', (v) => Number.isSafeInteger(v) && (v as number) >= 0)
const amount = be('a number, 0 or more', (v) => typeof v === 'number' && Number.isFinite(v) && v >= 0)
const bytes = be('bytes', (v) => v instanceof Uint8Array)
const anyMap = be('a map', isMap)

const optional =
  (check: Check): Check =>
  (value, path) =>
    value === undefined ? undefined : check(value, path)

const oneOf = (...words: readonly string[]): Check => be(`one of ${words.join(', ')}`, (v) => words.includes(v as string))

/** A map with these fields. */
const map = (fields: Readonly<Record<string, Check>>): Check => {
  const checks = Object.entries(fields)
  return (value, path) => {
    if (!isMap(value)) return anyMap(value, path)
    for (const [field, check] of checks) {
      const fault = check(Object.hasOwn(value, field) ? value[field] : undefined, path === '' ? field : `${path}.${field}`)
      if (fault !== undefined) return fault
    }
    return undefined
  }
}

/** A list, each item of which must pass. */
const listOf =
  (check: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return be('a list', Array.isArray)(value, path)
    for (const [at, item] of value.entries()) {
      const fault = check(item, `${path}[${at}]`)
      if (fault !== undefined) return fault
    }
    return undefined
  }

const texts: Check = (value, path) => {
  if (!isMap(value)) return anyMap(value, path)
  for (const [key, word] of Object.entries(value)) {
    const fault = text(word, `${path}[${JSON.stringify(key.slice(0, 80))}]`)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** A map whose field `tag` says which of these checks it must pass. */
const union = (tag: string, variants: Readonly<Record<string, Check>>): Check => {
  const tagged = map({ [tag]: oneOf(...Object.keys(variants)) })
  return (value, path) => tagged(value, path) ?? variants[(value as Readonly<Record<string, string>>)[tag]!]!(value, path)
}

const failure = map({ code: text, message: text })

/** Of an object only its name tags: what is in it was validated by the hub, and belongs to whoever reads it. */
const object = map({ apiVersion: name, kind: name, metadata: map({ name }) })

const container = { namespace: name, pod: name, container: name, stdin: flag, stdout: flag, stderr: flag, tty: flag }

const calls = {
  attach: map(container),
  exec: map({ ...container, command: listOf(text) }),
  forward: map({ namespace: name, pod: name, port: count, to: oneOf('loopback', 'address') }),
  logs: map({
    namespace: name,
    pod: name,
    container: name,
    follow: flag,
    previous: flag,
    tailLines: optional(count),
    limitBytes: optional(count),
    sinceTime: optional(text),
    timestamps: flag,
  }),
  rules: map({}),
} satisfies Readonly<Record<NodeCall['method'], Check>>

const event = map({
  type: oneOf('Normal', 'Warning'),
  reason: text,
  message: text,
  about: map({
    kind: oneOf('Pod', 'Node', 'Service'),
    namespace: optional(text),
    name,
    uid: text,
    fieldPath: optional(text),
  }),
})

const usage = map({ cpuMillis: amount, memoryBytes: amount, cpuCapacityMillis: amount, memoryCapacityBytes: amount })

const podUsage = map({ key: name, containers: listOf(map({ name, cpuMillis: amount, memoryBytes: amount })) })

const reports = {
  node: map({ labels: texts, status: anyMap }),
  usage: map({ usage }),
  podUsage: map({ windowMs: amount, pods: listOf(podUsage) }),
  lease: map({}),
  pod: map({ key: name, uid: text, status: anyMap }),
  podGone: map({ key: name, uid: text }),
  event: map({ event }),
} satisfies Readonly<Record<NodeReport['kind'], Check>>

const resource = oneOf(...agentResources)

const edit = map({ at: count, gone: count, come: listOf(anyMap) })

const stream = {
  set: map({ resource, revision: count, object }),
  endpoints: map({ revision: count, key: name, from: count, edits: listOf(edit), trigger: optional(text) }),
  delete: map({ resource, revision: count, key: name }),
  sync: map({ revision: count }),
  reset: map({}),
} satisfies Readonly<Record<StreamFrame['kind'], Check>>

export const hubShapes: Readonly<Record<HubFrame['kind'], Check>> = {
  welcome: map({ version: count, node: name, history: name, revision: count, resumed: flag, time: count, hub: optional(name) }),
  ...stream,
  several: map({ frames: listOf(union('kind', stream)) }),
  call: map({ id: count, call: union('method', calls) }),
  cancel: map({ id: count }),
  input: map({ id: count, bytes }),
  inputEnd: map({ id: count }),
  resize: map({ id: count, width: count, height: count }),
  room: map({ id: count, room: count }),
}

export const agentShapes: Readonly<Record<AgentFrame['kind'], Check>> = {
  hello: map({ version: count, node: name, agent: text, revision: optional(count), history: optional(name), time: count, for: optional(oneOf('calls')) }),
  ack: map({ received: count, applied: count, failed: optional(failure) }),
  report: map({ report: union('kind', reports) }),
  data: map({ id: count, bytes, err: optional(flag) }),
  end: map({ id: count, error: optional(failure), exitCode: optional(count) }),
  room: map({ id: count, room: count }),
}

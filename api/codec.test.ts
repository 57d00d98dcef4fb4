import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { CodecError, decodeAgentFrame, decodeHubFrame, encode, encodeSeveral } from './codec.ts'
import type { ErrorCode } from './errors.ts'
import { agentResources, limits, type AgentFrame, type Frame, type HubFrame, type StreamFrame } from './frames.ts'
import { maxDepth } from './msgpack.ts'

const count = fc.nat(Number.MAX_SAFE_INTEGER)
const amount = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((v) => v + 0)
const text = fc.string({ unit: 'grapheme' })
const name = fc.string({ minLength: 1 })
const flag = fc.boolean()
// Keys that a careless decoder would trip over.
const field = fc.oneof(fc.string(), fc.constantFrom('constructor', 'toJSON', 'toString', 'hasOwnProperty', 'length', ''))
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(text, flag, fc.integer(), count, fc.double({ noNaN: true, noDefaultInfinity: true }).map((v) => v + 0), fc.constant(null)),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(field, tie('tree'), { maxKeys: 4 }),
  ),
}))
const map = fc.dictionary(field.filter((f) => f !== '__proto__'), tree, { maxKeys: 5 })
const failure = fc.record({ code: text, message: text })
const resource = fc.constantFrom(...agentResources)
const object = fc.tuple(map, name, name, name, map).map(([rest, apiVersion, kind, called, meta]) => ({
  ...rest,
  apiVersion,
  kind,
  metadata: { ...meta, name: called },
}))

const logs = fc.record(
  {
    method: fc.constant('logs'),
    namespace: name,
    pod: name,
    container: name,
    follow: flag,
    previous: flag,
    timestamps: flag,
    tailLines: count,
    limitBytes: count,
    sinceTime: text,
  },
  { requiredKeys: ['method', 'namespace', 'pod', 'container', 'follow', 'previous', 'timestamps'] },
)
const streams = { namespace: name, pod: name, container: name, stdin: flag, stdout: flag, stderr: flag, tty: flag }
const forward = fc.record({ method: fc.constant('forward'), namespace: name, pod: name, port: count, to: fc.constantFrom('loopback', 'address') })
const attach = fc.record({ method: fc.constant('attach'), ...streams })
const exec = fc.record({ method: fc.constant('exec'), ...streams, command: fc.array(text) })
const streamFrames = {
  set: fc.record({ kind: fc.constant('set'), resource, revision: count, object }),
  endpoints: fc.record(
    { kind: fc.constant('endpoints'), revision: count, key: name, from: count, edits: fc.array(fc.record({ at: count, gone: count, come: fc.array(map, { maxLength: 3 }) }), { maxLength: 3 }), trigger: text },
    { requiredKeys: ['kind', 'revision', 'key', 'from', 'edits'] },
  ),
  delete: fc.record({ kind: fc.constant('delete'), resource, revision: count, key: name }),
  sync: fc.record({ kind: fc.constant('sync'), revision: count }),
  reset: fc.record({ kind: fc.constant('reset') }),
} satisfies Record<StreamFrame['kind'], unknown>
const hubFrames = {
  welcome: fc.record({ kind: fc.constant('welcome'), version: count, node: name, history: name, revision: count, resumed: flag, time: count, hub: name }, { requiredKeys: ['kind', 'version', 'node', 'history', 'revision', 'resumed', 'time'] }),
  ...streamFrames,
  several: fc.record({ kind: fc.constant('several'), frames: fc.array(fc.oneof(...Object.values(streamFrames)), { maxLength: 3 }) }),
  call: fc.record({ kind: fc.constant('call'), id: count, call: fc.oneof(logs, exec, attach, forward, fc.record({ method: fc.constant('rules') })) }),
  cancel: fc.record({ kind: fc.constant('cancel'), id: count }),
  input: fc.record({ kind: fc.constant('input'), id: count, bytes: fc.uint8Array({ maxLength: 300 }) }),
  inputEnd: fc.record({ kind: fc.constant('inputEnd'), id: count }),
  resize: fc.record({ kind: fc.constant('resize'), id: count, width: count, height: count }),
  room: fc.record({ kind: fc.constant('room'), id: count, room: count }),
} satisfies Record<HubFrame['kind'], unknown>
const labels = fc.dictionary(fc.string().filter((f) => f !== '__proto__'), text, { maxKeys: 4 })
const usage = fc.record({ cpuMillis: amount, memoryBytes: amount, cpuCapacityMillis: amount, memoryCapacityBytes: amount })
const about = fc.record(
  { kind: fc.constantFrom('Pod', 'Node', 'Service'), namespace: text, name, uid: text, fieldPath: text },
  { requiredKeys: ['kind', 'name', 'uid'] },
)
const event = fc.record({ type: fc.constantFrom('Normal', 'Warning'), reason: text, message: text, about })
const podUsage = fc.record({ key: name, containers: fc.array(fc.record({ name, cpuMillis: amount, memoryBytes: amount })) })
const report = fc.oneof(
  fc.record({ kind: fc.constant('node'), labels, status: map }),
  fc.record({ kind: fc.constant('usage'), usage }),
  fc.record({ kind: fc.constant('podUsage'), windowMs: amount, pods: fc.array(podUsage) }),
  fc.record({ kind: fc.constant('lease') }),
  fc.record({ kind: fc.constant('pod'), key: name, uid: text, status: map }),
  fc.record({ kind: fc.constant('podGone'), key: name, uid: text }),
  fc.record({ kind: fc.constant('event'), event }),
)
const agentFrames = {
  hello: fc.record(
    { kind: fc.constant('hello'), version: count, node: name, agent: text, revision: count, history: name, time: count, for: fc.constant('calls') },
    { requiredKeys: ['kind', 'version', 'node', 'agent', 'time'] },
  ),
  ack: fc.record(
    { kind: fc.constant('ack'), received: count, applied: count, failed: failure },
    { requiredKeys: ['kind', 'received', 'applied'] },
  ),
  report: fc.record({ kind: fc.constant('report'), report }),
  data: fc.record({ kind: fc.constant('data'), id: count, bytes: fc.uint8Array({ maxLength: 300 }), err: flag }, { requiredKeys: ['kind', 'id', 'bytes'] }),
  end: fc.record({ kind: fc.constant('end'), id: count, error: failure, exitCode: count }, { requiredKeys: ['kind', 'id'] }),
  room: fc.record({ kind: fc.constant('room'), id: count, room: count }),
} satisfies Record<AgentFrame['kind'], unknown>
const hubFrame = fc.oneof(...Object.values(hubFrames)) as unknown as fc.Arbitrary<HubFrame>
const agentFrame = fc.oneof(...Object.values(agentFrames)) as unknown as fc.Arbitrary<AgentFrame>

/** The error that both decoders give for bytes that neither may take; anything else than a CodecError passes through. */
function refusal(decode: (bytes: Uint8Array) => Frame, bytes: Uint8Array): { code: ErrorCode; message: string } {
  try {
    decode(bytes)
  } catch (e) {
    if (e instanceof CodecError) return { code: e.code, message: e.message }
    throw e
  }
  throw new TypeError('it was not refused')
}

const raw = new Packr({ useRecords: false, variableMapSize: true })
const malformed = (message: string): unknown => ({ code: 'FRAME_MALFORMED', message: expect.stringContaining(message) })

const same = (got: Frame, sent: Frame): void => {
  expect(got).toEqual(sent)
}

describe('round trip', () => {
  test('hub frames come out as they went in', () => {
    fc.assert(fc.property(hubFrame, (frame) => same(decodeHubFrame(encode(frame)), frame)), { numRuns: 400 })
  })

  test('agent frames come out as they went in', () => {
    fc.assert(fc.property(agentFrame, (frame) => same(decodeAgentFrame(encode(frame)), frame)), { numRuns: 400 })
  })

  test('frames that were encoded one by one go together as they are', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...Object.values(streamFrames)) as unknown as fc.Arbitrary<StreamFrame>, { maxLength: 40 }), (frames) => {
        same(decodeHubFrame(encodeSeveral(frames.map(encode))), { kind: 'several', frames })
      }),
    )
  })

  test('encoded frames stand alone: neither the order nor what came before matters', () => {
    fc.assert(
      fc.property(fc.array(hubFrame, { maxLength: 8 }), (frames) => {
        const encoded = frames.map(encode)
        expect(encoded.toReversed().map(decodeHubFrame)).toEqual(frames.toReversed())
        expect(frames.map((frame) => [...encode(frame)])).toEqual(encoded.map((bytes) => [...bytes]))
      }),
    )
  })

  test('an encoded frame holds no more memory than its own bytes', () => {
    const bytes = encode({ kind: 'sync', revision: 7 })
    expect(bytes.buffer.byteLength).toBe(bytes.length)
  })

  test('labels that are named like parts of the language are labels', () => {
    const labels = { constructor: 'a', toJSON: 'b', hasOwnProperty: 'c', valueOf: 'd', length: 'e', '': 'f' }
    const frame: Frame = { kind: 'report', report: { kind: 'node', labels, status: {} } }
    same(decodeAgentFrame(encode(frame)), frame)
  })

  test('a field that is undefined is not sent', () => {
    const frame = { kind: 'end', id: 1, error: undefined } as const
    expect(Object.keys(decodeAgentFrame(encode(frame)))).toEqual(['kind', 'id'])
  })
})

describe('what a peer may not send', () => {
  const welcome = { kind: 'welcome', version: 1, node: 'a', history: 'h', revision: 1, resumed: false, time: 0 }
  const set = { kind: 'set', resource: 'pods', revision: 1, object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } } }
  const { name: _, ...nameless } = set.object.metadata
  const call = { kind: 'call', id: 1, call: { method: 'rules' } }
  const execCall = { method: 'exec', namespace: 'a', pod: 'b', container: 'c', stdin: true, stdout: true, stderr: true, tty: false }
  const hello = { kind: 'hello', version: 1, node: 'a', agent: 'x', time: 0 }
  const told = { kind: 'report', report: { kind: 'node', labels: {}, status: {} } }

  test.each([
    ['no map', [1], 'no map'],
    ['no kind', { revision: 1 }, 'kind must be text'],
    ['an unknown kind', { kind: 'format' }, 'unknown kind: "format"'],
    ['a kind that every object has', { kind: 'constructor' }, 'unknown kind'],
    ['a frame of the other direction', hello, 'hello: it goes from an agent to the hub'],
    ['a missing field', { ...welcome, node: undefined }, 'welcome: node is missing'],
    ['a field of another type', { ...welcome, resumed: 1 }, 'welcome: resumed must be true or false, but is 1'],
    ['null', { ...welcome, node: null }, 'welcome: node must be text that is not empty, but is null'],
    ['a revision below 0', { kind: 'sync', revision: -1 }, 'sync: revision must be a whole number, 0 or more, but is -1'],
    ['half a revision', { kind: 'sync', revision: 0.5 }, 'sync: revision'],
    ['a revision past exact numbers', { kind: 'sync', revision: 2 ** 53 }, 'sync: revision'],
    ['an unknown resource', { ...set, resource: 'secrets' }, 'set: resource must be one of nodes,'],
    ['an object without a kind', { ...set, object: { ...set.object, kind: undefined } }, 'set: object.kind is missing'],
    ['an object without metadata', { ...set, object: { ...set.object, metadata: undefined } }, 'set: object.metadata is missing'],
    ['an object without a name', { ...set, object: { ...set.object, metadata: nameless } }, 'set: object.metadata.name is missing'],
    ['a list for an object', { ...set, object: [] }, 'set: object must be a map, but is a list'],
    ['an unknown call', { ...call, call: { method: 'tea' } }, 'call: call.method must be one of attach, exec, forward, logs, rules'],
    ['a command that is no list', { ...call, call: { ...execCall, command: 'ls' } }, 'call: call.command must be a list'],
    ['a command with a number', { ...call, call: { ...execCall, command: ['ls', 1] } }, 'call: call.command[1] must be text'],
    ['several that are no list', { kind: 'several', frames: {} }, 'several: frames must be a list'],
    ['a call among several', { kind: 'several', frames: [set, call] }, 'several: frames[1].kind must be one of set, endpoints, delete, sync, reset'],
    ['several among several', { kind: 'several', frames: [{ kind: 'several', frames: [] }] }, 'several: frames[0].kind must be one of'],
    ['a bad frame among several', { kind: 'several', frames: [{ kind: 'sync', revision: -1 }] }, 'several: frames[0].revision must be a whole number'],
    ['half a call', { ...call, call: { method: 'logs', namespace: 'a' } }, 'call: call.pod is missing'],
  ])('hub: %s', (_title, frame, message) => {
    expect(refusal(decodeHubFrame, raw.pack(dropped(frame)))).toEqual(malformed(message))
  })

  test.each([
    ['a frame of the other direction', set, 'set: it goes from the hub to an agent'],
    ['a label that is no text', { ...told, report: { ...told.report, labels: { a: 1 } } }, 'report: report.labels["a"] must be text'],
    ['an unknown report', { ...told, report: { kind: 'gossip' } }, 'report: report.kind must be one of node, usage'],
    ['a hello for something else', { ...hello, for: 'tea' }, 'hello: for must be one of calls'],
    ['text for bytes', { kind: 'data', id: 1, bytes: 'x' }, 'data: bytes must be bytes'],
    ['half a failure', { kind: 'end', id: 1, error: { code: 'X' } }, 'end: error.message is missing'],
    ['load that is no number', { kind: 'report', report: { kind: 'usage', usage: { cpuMillis: Number.NaN } } }, 'report.usage.cpuMillis'],
    ['load below 0', { kind: 'report', report: { kind: 'usage', usage: { cpuMillis: -1 } } }, 'report.usage.cpuMillis must be a number'],
    ['an event about a secret', { kind: 'report', report: { kind: 'event', event: { type: 'Normal', reason: '', message: '', about: { kind: 'Secret' } } } }, 'report.event.about.kind'],
  ])('agent: %s', (_title, frame, message) => {
    expect(refusal(decodeAgentFrame, raw.pack(dropped(frame)))).toEqual(malformed(message))
  })

  /** Without undefined fields, which the plain packer would send. */
  function dropped(frame: unknown): unknown {
    return Array.isArray(frame)
      ? frame
      : Object.fromEntries(
          Object.entries(frame as object)
            .filter(([, value]) => value !== undefined)
            .map(([key, value]) => [key, value?.constructor === Object ? dropped(value) : (value as unknown)]),
        )
  }

  const sync = encode({ kind: 'sync', revision: 7 })
  const bytes = (...parts: (number | Uint8Array)[]): Uint8Array =>
    new Uint8Array(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part])))
  /** A map of one field `a` with these bytes as its value. */
  const valued = (...value: number[]): Uint8Array => bytes(0x81, 0xa1, 0x61, ...value)

  test.each([
    ['nothing', bytes(), 'ends too early'],
    ['bytes behind the frame', bytes(sync, 0xc0, 0xc0), '2 bytes follow the frame'],
    ['half a frame', sync.subarray(0, -1), 'ends too early'],
    ['a list that claims four billion values', valued(0xdd, 0xff, 0xff, 0xff, 0xff), 'ends too early'],
    ['a map that claims four billion values', valued(0xdf, 0xff, 0xff, 0xff, 0xff), 'ends too early'],
    ['a text that claims four gigabytes', valued(0xdb, 0xff, 0xff, 0xff, 0xff), 'ends too early'],
    ['lists without end', valued(...Array.from({ length: 50_000 }, () => 0x91), 0xc0), `more than ${maxDepth} deep`],
    ['a key that is a number', bytes(0x81, 0x01, 0x01), 'key that is not text'],
    ['a key that is a map', bytes(0x81, 0x80, 0x01), 'key that is not text'],
    ['the unused byte', valued(0xc1), 'type 0xc1'],
    ['undefined as an extension', valued(0xd4, 0, 0), 'type 0xd4'],
    ['a date', valued(0xd6, 0xff, 0, 0, 0, 1), 'type 0xd6'],
    ['a regular expression', valued(0xc7, 0, 0x78, 0x92, 0xa1, 0x61, 0xa0), 'type 0xc7'],
    ['a record definition', valued(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01), 'type 0xd4'],
    ['a shared reference', valued(0xd6, 0x70, 0, 0, 0, 1), 'type 0xd6'],
  ])('%s', (_title, sent, message) => {
    expect(refusal(decodeHubFrame, sent)).toEqual(malformed(message))
    expect(refusal(decodeAgentFrame, sent)).toEqual(malformed(message))
  })

  test('a frame past the limit, at both ends', () => {
    const large: Frame = { kind: 'data', id: 1, bytes: new Uint8Array(limits.frameBytes) }
    expect(() => encode(large)).toThrowError(expect.objectContaining({ code: 'FRAME_TOO_LARGE', message: expect.stringContaining('frame data') }))
    expect(refusal(decodeAgentFrame, raw.pack(large)).code).toBe('FRAME_TOO_LARGE')
    const largest: Frame = { kind: 'data', id: 1, bytes: new Uint8Array(limits.frameBytes - 100) }
    expect(decodeAgentFrame(encode(largest)).kind).toBe('data')
  })

  test('a field named __proto__ changes no object but its own', () => {
    const sent = raw.pack({ ...set, object: JSON.parse('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"__proto__":{"bad":1}}') as unknown })
    const frame = decodeHubFrame(sent)
    expect(({} as { bad?: unknown }).bad).toBeUndefined()
    expect(frame.kind === 'set' && (frame.object as { bad?: unknown }).bad).toBeUndefined()
    expect(Object.getPrototypeOf(frame.kind === 'set' && frame.object)).toBe(Object.prototype)
  })
})

describe('bytes of any kind', () => {
  /** Either a frame or a CodecError. */
  const survive = (bytes: Uint8Array): void => {
    for (const decode of [decodeHubFrame, decodeAgentFrame]) {
      try {
        decode(bytes)
      } catch (e) {
        if (!(e instanceof CodecError)) throw e
      }
    }
  }

  test('random bytes are refused in order', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survive), { numRuns: 2000 })
  })

  test('damaged frames are refused in order, or are frames', () => {
    const damage = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.boolean() }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(fc.oneof(hubFrame, agentFrame), damage, (frame, faults) => {
        let bytes = encode(frame)
        for (const { at, byte, cut } of faults) {
          if (bytes.length === 0) break
          if (cut) bytes = new Uint8Array([...bytes.subarray(0, at % bytes.length), ...bytes.subarray((at % bytes.length) + (byte % 8))])
          else bytes[at % bytes.length] = byte
        }
        survive(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  test('a good frame is read after bad ones', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), hubFrame, (bytes, frame) => {
        survive(bytes)
        expect(decodeHubFrame(encode(frame))).toEqual(frame)
      }),
    )
  })
})

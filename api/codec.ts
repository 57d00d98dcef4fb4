/** Frames as bytes. A frame is encoded once for all agents that get it, so nothing is remembered between frames. */
import { Packr, RESET_BUFFER_MODE, Unpackr } from 'msgpackr'

import { WherryError, type ErrorCode } from './errors.ts'
import { agentShapes, hubShapes, type Check } from './frame-shapes.ts'
import { limits, type AgentFrame, type Frame, type HubFrame } from './frames.ts'
import { msgpackFault } from './msgpack.ts'

/** The bytes or the frame are not what both sides agreed on. */
export class CodecError extends WherryError {
  constructor(code: Extract<ErrorCode, `FRAME_${string}`>, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

// Plain maps, each with its own keys; a field that is undefined is not sent. An object with a field of the name toJSON is data.
const packing = { useRecords: false, mapsAsObjects: true, skipValues: [undefined], useToJSON: false } as const
const packr = new Packr(packing)
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number', structuredClone: false })

/** @throws CodecError FRAME_TOO_LARGE where the other side would refuse it */
export function encode(frame: Frame): Uint8Array {
  // The packer's buffer is used again for the next frame: what waits in a queue holds its own bytes and no more.
  const bytes = new Uint8Array(packr.pack(frame, RESET_BUFFER_MODE))
  checkSize(bytes, `frame ${frame.kind}`)
  return bytes
}

/** A `several` frame of encoded ones of the stream: their bytes as they are, which are kept for many agents. */
export function encodeSeveral(frames: readonly Uint8Array[]): Uint8Array {
  const length = Buffer.alloc(5)
  length[0] = list32
  length.writeUInt32BE(frames.length, 1)
  const bytes = Buffer.concat([severalHead, length, ...frames])
  checkSize(bytes, 'frame several')
  return bytes
}

/** A list whose length has 32 bits (msgpack). */
const list32 = 0xdd
/** All of such a frame up to its list, for which an empty one stands here with its one byte. */
const severalHead = encode({ kind: 'several', frames: [] }).slice(0, -1)

/** For the agent. @throws CodecError FRAME_MALFORMED, FRAME_TOO_LARGE */
export function decodeHubFrame(bytes: Uint8Array): HubFrame {
  return decode(bytes, hubShapes, { shapes: agentShapes, way: 'from an agent to the hub' }) as HubFrame
}

/** For the hub. @throws CodecError FRAME_MALFORMED, FRAME_TOO_LARGE */
export function decodeAgentFrame(bytes: Uint8Array): AgentFrame {
  return decode(bytes, agentShapes, { shapes: hubShapes, way: 'from the hub to an agent' }) as AgentFrame
}

type Shapes = Readonly<Record<string, Check>>

function decode(bytes: Uint8Array, shapes: Shapes, wrong: { readonly shapes: Shapes; readonly way: string }): unknown {
  checkSize(bytes, 'a frame')
  const fault = msgpackFault(bytes)
  if (fault !== undefined) throw malformed(`not a frame: ${fault}`)
  const frame = unpack(bytes)
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) throw malformed('not a frame: it is no map')
  const { kind } = frame as { readonly kind?: unknown }
  if (typeof kind !== 'string') throw malformed('frame without a kind: the field kind must be text')
  if (!Object.hasOwn(shapes, kind)) {
    if (Object.hasOwn(wrong.shapes, kind)) throw malformed(`frame ${kind}: it goes ${wrong.way}, not back`)
    throw malformed(`frame of an unknown kind: ${JSON.stringify(kind.slice(0, 80))}`)
  }
  const wrongField = shapes[kind]!(frame, '')
  if (wrongField !== undefined) throw malformed(`frame ${kind}: ${wrongField}`)
  return frame
}

function unpack(bytes: Uint8Array): unknown {
  try {
    return unpackr.unpack(bytes) as unknown
  } catch (e) {
    throw malformed('not a frame: it cannot be unpacked', e)
  }
}

function checkSize(bytes: Uint8Array, what: string): void {
  if (bytes.length <= limits.frameBytes) return
  throw new CodecError('FRAME_TOO_LARGE', `${what} of ${bytes.length} bytes: at most ${limits.frameBytes} are allowed`)
}

function malformed(message: string, cause?: unknown): CodecError {
  return new CodecError('FRAME_MALFORMED', message, cause === undefined ? undefined : { cause })
}

/**
 * The part of msgpack that our frames use: null, booleans, numbers, text, bytes, lists, and maps whose keys are text.
 * A decoder of the whole format also makes dates, expressions, errors, sets and shared references of what it reads;
 * from a peer we want none of that, so the bytes are walked once before they are decoded.
 */

/** How deep lists and maps may stand in each other. Kubernetes objects come to about twenty. */
export const maxDepth = 100

/**
 * What is wrong with these bytes, or undefined where they are exactly one value of that part of msgpack.
 * Takes time in proportion to the bytes, whatever lengths they claim: each step reads at least one of them.
 */
export function msgpackFault(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    const end = walk(view)
    return end === bytes.length ? undefined : `${bytes.length - end} bytes follow the frame`
  } catch (e) {
    if (e instanceof Fault) return e.message
    // DataView says so of every read past the end.
    if (e instanceof RangeError) return 'the frame ends too early'
    throw e
  }
}

/** Leaves the walk. */
class Fault extends RangeError {}

/** Bytes of a value behind its first one, for those that say no length. */
const fixedSizes: Readonly<Record<number, number>> = {
  0xc0: 0, 0xc2: 0, 0xc3: 0, 0xca: 4, 0xcb: 8, 0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8, 0xd0: 1, 0xd1: 2, 0xd2: 4, 0xd3: 8,
}

/** @returns where the value ends */
function walk(view: DataView): number {
  // How many values each open list or map still waits for. In a map every second one is a key.
  const left: number[] = [1]
  const inMap: boolean[] = [false]
  let at = 0
  let depth = 0
  const open = (values: number, map: boolean): void => {
    if (++depth > maxDepth) throw new Fault(`lists and maps stand more than ${maxDepth} deep in each other`)
    left[depth] = values
    inMap[depth] = map
  }
  while (depth >= 0) {
    if (left[depth] === 0) {
      depth--
      continue
    }
    const key = inMap[depth]! && left[depth]! % 2 === 0
    left[depth]!--
    const token = view.getUint8(at++)
    const text = textLength(view, token, at)
    if (text >= 0) at += text
    else if (key) throw new Fault('a map has a key that is not text')
    else if (token < 0x80 || token >= 0xe0) continue
    else if (token < 0x90) open((token - 0x80) * 2, true)
    else if (token < 0xa0) open(token - 0x90, false)
    else {
      const { skip, values, map } = sized(view, token, at)
      at += skip
      if (values !== undefined) open(values, map)
    }
    if (at > view.byteLength) throw new RangeError()
  }
  return at
}

/** Bytes that a text takes behind its first one, its length field included; -1 for what is no text. */
function textLength(view: DataView, token: number, at: number): number {
  if (token >= 0xa0 && token < 0xc0) return token - 0xa0
  if (token === 0xd9) return 1 + view.getUint8(at)
  if (token === 0xda) return 2 + view.getUint16(at)
  if (token === 0xdb) return 4 + view.getUint32(at)
  return -1
}

interface Sized {
  readonly skip: number
  /** For a list or a map, the number of values in it. */
  readonly values?: number
  readonly map: boolean
}

function sized(view: DataView, token: number, at: number): Sized {
  switch (token) {
    case 0xc4:
      return { skip: 1 + view.getUint8(at), map: false }
    case 0xc5:
      return { skip: 2 + view.getUint16(at), map: false }
    case 0xc6:
      return { skip: 4 + view.getUint32(at), map: false }
    case 0xdc:
      return { skip: 2, values: view.getUint16(at), map: false }
    case 0xdd:
      return { skip: 4, values: view.getUint32(at), map: false }
    case 0xde:
      return { skip: 2, values: view.getUint16(at) * 2, map: true }
    case 0xdf:
      return { skip: 4, values: view.getUint32(at) * 2, map: true }
    default: {
      const skip = fixedSizes[token]
      if (skip === undefined) throw new Fault(`a value of the type 0x${token.toString(16)}, which no frame has`)
      return { skip, map: false }
    }
  }
}

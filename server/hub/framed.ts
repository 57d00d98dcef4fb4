/** Messages of a WebSocket as its server sends them: binary, each whole in one frame, not masked (RFC 6455, 5.2). Pure. */

const binary = 0x82

/** One message for each of these, one behind the other. */
export function framed(payloads: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(payloads.flatMap((payload) => [headOf(payload.byteLength), payload]))
}

function headOf(length: number): Uint8Array {
  if (length < 126) return Uint8Array.of(binary, length)
  const head = new DataView(new ArrayBuffer(length < 65_536 ? 4 : 10))
  head.setUint8(0, binary)
  head.setUint8(1, length < 65_536 ? 126 : 127)
  if (length < 65_536) head.setUint16(2, length)
  else head.setBigUint64(2, BigInt(length))
  return new Uint8Array(head.buffer)
}

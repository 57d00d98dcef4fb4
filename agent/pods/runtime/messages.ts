/** Protobuf messages by the numbers of their fields: all that containerd's API needs here are texts, bytes, numbers and lists of them. Pure. */
import protobuf from 'protobufjs/minimal.js'

export type Field = string | Uint8Array | boolean | number
export type Fields = Readonly<Record<number, Field | readonly Field[]>>
export type Message = Readonly<Record<number, readonly (Uint8Array | number)[]>>

/** A message; what is empty or zero is left out, as protobuf has it. */
export function written(fields: Fields): Uint8Array {
  const writer = protobuf.Writer.create()
  for (const [key, values] of Object.entries(fields)) {
    for (const value of Array.isArray(values) ? (values as readonly Field[]) : [values as Field]) put(writer, Number(key), value)
  }
  return writer.finish()
}

function put(writer: protobuf.Writer, field: number, value: Field): void {
  if (value === '' || value === false || value === 0) return
  const number = field << 3
  if (typeof value === 'string') writer.uint32(number | 2).string(value)
  else if (typeof value === 'number') writer.uint32(number).uint32(value)
  else if (typeof value === 'boolean') writer.uint32(number).bool(value)
  else writer.uint32(number | 2).bytes(value)
}

/** The values of each field, in order. Other kinds of fields than numbers and bytes are passed over. */
export function read(bytes: Uint8Array): Message {
  const reader = protobuf.Reader.create(bytes)
  const message: Record<number, (Uint8Array | number)[]> = {}
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if ((tag & 7) === 2) (message[tag >>> 3] ??= []).push(reader.bytes())
    else if ((tag & 7) === 0) (message[tag >>> 3] ??= []).push(reader.uint32())
    else reader.skipType(tag & 7)
  }
  return message
}

/** The last value of a field, as bytes; none where it is absent. */
export function bytesOf(message: Message, field: number): Uint8Array {
  const value = message[field]?.at(-1)
  return value instanceof Uint8Array ? value : new Uint8Array()
}

export const textOf = (message: Message, field: number): string => Buffer.from(bytesOf(message, field)).toString()

/** The last value of a field, as a number; 0 where it is absent. */
export function numberOf(message: Message, field: number): number {
  const value = message[field]?.at(-1)
  return typeof value === 'number' ? value : 0
}

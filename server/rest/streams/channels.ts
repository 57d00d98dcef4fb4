/**
 * The channels of kubectl's WebSockets for exec and attach (KEP-3396, KEP-4006): a message is one byte that names the channel, and then
 * its bytes. In version 5 a client can also say that a channel has ended. Pure.
 */
import type { ClientWord } from './client.ts'

/** The best first. */
export const channelProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const
export type ChannelProtocol = (typeof channelProtocols)[number]

const channels = { stdin: 0, out: 1, err: 2, error: 3, resize: 4, close: 255 } as const

/** The number of a terminal's rows and columns is a uint16 in the kernel. */
const maxSize = 65_535

/** What a message says; undefined for what nobody here reads: other channels, and sizes that are none. */
export function readMessage(protocol: ChannelProtocol, message: Uint8Array): ClientWord | undefined {
  const [channel] = message
  const bytes = message.subarray(1)
  if (channel === channels.stdin) return bytes.length > 0 ? { kind: 'bytes', bytes } : undefined
  if (channel === channels.resize) return readSize(bytes)
  const ends = channel === channels.close && bytes.length === 1 && bytes[0] === channels.stdin
  return ends && protocol === 'v5.channel.k8s.io' ? { kind: 'end' } : undefined
}

/** `{"Width":80,"Height":24}`. */
export function readSize(bytes: Uint8Array): ClientWord | undefined {
  try {
    const { Width: width, Height: height } = JSON.parse(Buffer.from(bytes).toString()) as { Width?: unknown; Height?: unknown }
    return isSize(width) && isSize(height) ? { kind: 'resize', width, height } : undefined
  } catch {
    return undefined
  }
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= maxSize

export function messageOf(channel: 'out' | 'err' | 'error', bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(channels[channel]), bytes])
}

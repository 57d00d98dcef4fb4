import fc from 'fast-check'
import { expect, test } from 'vitest'
import { messageOf, readMessage } from './channels.ts'

const v5 = 'v5.channel.k8s.io'
const resize = (text: string): Uint8Array => Buffer.concat([Buffer.of(4), Buffer.from(text)])

test('stdin, sizes and the end of stdin', () => {
  expect(readMessage(v5, Buffer.from('\0hello'))).toEqual({ kind: 'bytes', bytes: Buffer.from('hello') })
  expect(readMessage(v5, resize('{"Width":80,"Height":24}'))).toEqual({ kind: 'resize', width: 80, height: 24 })
  expect(readMessage(v5, Buffer.of(255, 0))).toEqual({ kind: 'end' })
})

test('only version 5 can end a channel', () => {
  expect(readMessage('v4.channel.k8s.io', Buffer.of(255, 0))).toBeUndefined()
})

test.each([
  ['nothing', Buffer.of()],
  ['no bytes', Buffer.of(0)],
  ['an output', Buffer.from('\u0001x')],
  ['an unknown channel', Buffer.from('\u0009x')],
  ['the end of an output', Buffer.of(255, 1)],
  ['the end of nothing', Buffer.of(255)],
  ['a size that is no JSON', resize('80x24')],
  ['a size of nothing', resize('null')],
  ['a size without a height', resize('{"Width":80}')],
  ['a size that is no number', resize('{"Width":"80","Height":24}')],
  ['a size beyond any terminal', resize('{"Width":80,"Height":70000}')],
  ['a size of zero', resize('{"Width":0,"Height":0}')],
])('%s says nothing', (_, message) => {
  expect(readMessage(v5, message)).toBeUndefined()
})

test('no message throws', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (message) => void readMessage(v5, message)))
})

test('outputs and errors name their channel', () => {
  expect(['out', 'err', 'error'].map((channel) => [...messageOf(channel as 'out', Buffer.from('x'))])).toEqual([[1, 120], [2, 120], [3, 120]])
})

/** Decoders of bytes that come from strangers: frames of agents and of WebSockets, tokens, requests for certificates. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import net from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeAgentFrame, encode } from '../../api/codec.ts'
import { isWherryError } from '../../api/errors.ts'
import { makeKey } from '../../server/auth/certificate.ts'
import { readRequest } from '../../server/auth/certificate-request.ts'
import { keyId, peek, signToken, verifyToken, type SignKey } from '../../server/auth/jwt.ts'
import * as kit from '../kit/objects.ts'
import { startTrial, type Trial } from '../kit/trial.ts'
import { fuzz, limitMs, nearly } from './kit.ts'

const pem = makeKey()
const publicKey = createPublicKey(pem)
const key: SignKey = { id: keyId(publicKey), publicKey, privateKey: createPrivateKey(pem) }

test('frames of agents', () => {
  const frames = [
    { kind: 'ack', received: 1, applied: 1 },
    { kind: 'report', report: { kind: 'lease' } },
    { kind: 'end', id: 1 },
  ] as const
  return fuzz(nearly(frames.map((f) => Buffer.from(encode(f)))), (bytes) => {
    try {
      expect(decodeAgentFrame(bytes)).toHaveProperty('kind')
    } catch (e) {
      if (!isWherryError(e, 'FRAME_MALFORMED') && !isWherryError(e, 'FRAME_TOO_LARGE')) throw e
    }
  })
}, limitMs)

test('tokens: one that was changed is nobody', () => {
  const token = signToken(key, { sub: 'x', aud: ['a'] })
  expect(verifyToken([key], token)).toMatchObject({ sub: 'x' })
  return fuzz(nearly([token, 'a.b.c', '..']), (bytes) => {
    const text = bytes.toString('latin1')
    peek(text)
    const claims = verifyToken([key], text)
    if (claims) expect([claims, text]).toEqual([{ sub: 'x', aud: ['a'] }, token])
  })
}, limitMs)

test('requests for certificates: read, or told what is wrong', () => {
  const good = Buffer.from(kit.certificateSigningRequest().spec.request, 'base64').toString()
  expect(readRequest(good)).toMatchObject({ commonName: 'system:node:node1' })
  const der = Buffer.from(good.replaceAll(/-----[A-Z ]+-----/g, ''), 'base64')
  const wrapped = nearly([der]).map((bytes) => `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`)
  return fuzz(fc.oneof(wrapped, nearly([good]).map(String)), (text) => {
    const read = readRequest(text)
    if (typeof read === 'string') expect(read).not.toBe('')
    else expect(read.commonName).toBe('system:node:node1')
  })
}, limitMs)

describe('frames of WebSockets', () => {
  let trial: Trial
  beforeAll(async () => {
    trial = await startTrial()
  })
  afterAll(() => trial.close())

  const hello = 'GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
  /** Masked, as clients send them: text, ping, close, and one whose length says more than there is. */
  const frames = [Buffer.from([0x81, 0x82, 1, 2, 3, 4, 0x60, 0x60]), Buffer.from([0x89, 0x80, 0, 0, 0, 0]), Buffer.from([0x88, 0x82, 0, 0, 0, 0, 3, 0xe8]), Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])]

  test('after the upgrade, and in it', () =>
    fuzz(fc.tuple(nearly([hello]), nearly(frames), fc.boolean()), async ([head, frame, whole]) => {
      const { port } = trial.server.address() as net.AddressInfo
      await new Promise<void>((resolve) => {
        const socket = net.connect(port, '127.0.0.1', () => socket.end(Buffer.concat([whole ? Buffer.from(hello) : head, frame])))
        socket.on('error', () => undefined).on('close', () => resolve())
        socket.resume()
      })
      expect(trial.complaints).toEqual([])
      expect((await trial.api.send('GET', '/version')).code).toBe(200)
    }), limitMs)
})

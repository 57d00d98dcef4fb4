/** Answers /openapi/v2 and /openapi/v3. The documents are made when they are first asked for, and kept. */
import { gzip } from 'node:zlib'
import { promisify } from 'node:util'
import { StatusError } from '../../../api/status.ts'
import { alternatives } from '../accept.ts'
import type { Call } from '../call.ts'
import { nothingHere, sendText } from '../reply.ts'
import { encodeSwagger, protoTypes } from './proto.ts'
import { schemasOf } from './schemas.ts'
import { swagger } from './v2.ts'
import { document, documentKinds, hashOf, index } from './v3.ts'

export interface OpenApi {
  /** @throws StatusError NotAcceptable */
  v2(call: Call): Promise<void>
  /** @param path '' for the index. @throws StatusError NotAcceptable, NotFound */
  v3(call: Call, path: string): Promise<void>
}

const json = 'application/json'

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** @param version of the documents */
export function createOpenApi(version: string): OpenApi {
  const document2 = once(() => swagger(schemasOf(), version))
  const json2 = once(() => JSON.stringify(document2()))
  const proto2 = once(() => encodeSwagger(document2()))
  const documents3 = once(() => {
    const texts = [...documentKinds()].map(([path, kinds]) => [path, JSON.stringify(document(kinds, schemasOf(kinds), version))] as const)
    return new Map(texts)
  })
  const index3 = once(() => JSON.stringify(index(documents3())))
  const packed = new Map<string, Packed>()

  const send = async (call: Call, body: string | Uint8Array, { type, path = '' }: { type: string; path?: string }): Promise<void> => {
    const key = `${type} ${path}`
    const { tag, zipped } = packed.get(key) ?? pack(body)
    packed.set(key, { tag, zipped })
    const asked = path === '' ? null : call.query.get('hash')
    if (asked !== null && asked !== tag) return moved(call, path, tag)
    call.res.setHeader('Vary', 'Accept-Encoding, Accept')
    const options = { code: 200, type, tag, lasting: asked !== null }
    if (!/\bgzip\b/.test(String(call.req.headers['accept-encoding'] ?? ''))) return sendText(call, body, options)
    const bytes = await zipped()
    call.res.setHeader('Content-Encoding', 'gzip')
    sendText(call, bytes, options)
  }

  return {
    v2(call) {
      const type = choose(call, [json, ...protoTypes])
      // Go refuses to read the older of the two names in an answer, for its @.
      return type === json ? send(call, json2(), { type }) : send(call, proto2(), { type: protoTypes[1] })
    },
    v3(call, path) {
      choose(call, [json])
      const text = path === '' ? index3() : documents3().get(path)
      if (text === undefined) throw nothingHere()
      return send(call, text, { type: json, path: path && `v3/${path}` })
    },
  }
}

/** What is made of a document once: its hash, and when it is first wanted its short form. */
interface Packed {
  readonly tag: string
  readonly zipped: () => Promise<Uint8Array>
}

const pack = (body: string | Uint8Array): Packed => ({ tag: hashOf(body), zipped: once(() => promisify(gzip)(body)) })

/** A client that kept the index of another version is shown the way to what is served now. */
function moved(call: Call, path: string, tag: string): void {
  call.res.setHeader('Location', `/openapi/${path}?hash=${tag}`)
  sendText(call, '', { code: 301, type: 'text/plain' })
}

/** The first of the client's alternatives that is offered. */
function choose(call: Call, offered: readonly string[]): string {
  for (const { type } of alternatives(call.req.headers.accept)) {
    if (offered.includes(type)) return type
    if (type === '*/*' || type === 'application/*') return offered[0]!
  }
  throw new StatusError('NotAcceptable', `only ${offered.join(', ')} can be had here`)
}

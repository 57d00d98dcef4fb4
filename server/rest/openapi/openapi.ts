/** Answers /openapi/v2 and /openapi/v3. The documents are made when they are first asked for, and kept until a definition changes. */
import { gzip } from 'node:zlib'
import { promisify } from 'node:util'
import { servedKinds, type ResourceKind } from '../../../api/resources.ts'
import { StatusError } from '../../../api/status.ts'
import { customOf } from '../../custom/kind.ts'
import type { Kinds } from '../../custom/kinds.ts'
import { alternatives } from '../accept.ts'
import type { Call } from '../call.ts'
import { nothingHere, sendText } from '../reply.ts'
import { encodeSwagger, protoTypes } from './proto.ts'
import { customSchemasOf, schemasOf } from './schemas.ts'
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

/** The documents of what is served until a definition changes. */
interface Documents {
  readonly kinds: readonly ResourceKind[]
  readonly json2: () => string
  readonly proto2: () => Uint8Array
  readonly index3: () => string
  readonly document3: (path: string) => string | undefined
  readonly packed: Map<string, Packed>
}

/** @param version of the documents */
function createDocuments(version: string): (kinds: readonly ResourceKind[]) => Documents {
  // Of built-in kinds nothing changes, and reading them takes a while.
  const own = once(() => schemasOf(servedKinds))
  const texts3 = once(() => new Map([...documentKinds(servedKinds)].map(([path, of]) => [path, JSON.stringify(document(of, schemasOf(of), version))])))
  return (kinds) => {
    const document2 = once(() => swagger(kinds, new Map([...own(), ...customSchemasOf(kinds.filter(customOf), 2)]), version))
    const documents3 = once(() => {
      const custom = [...documentKinds(kinds)].filter(([, of]) => of.some(customOf))
      const made = custom.map(([path, of]) => {
        const definitions = new Map([...schemasOf(of.filter((k) => !customOf(k))), ...customSchemasOf(of.filter(customOf), 3)])
        return [path, JSON.stringify(document(of, definitions, version))] as const
      })
      return new Map([...texts3(), ...made])
    })
    return {
      kinds,
      json2: once(() => JSON.stringify(document2())),
      proto2: once(() => encodeSwagger(document2())),
      index3: once(() => JSON.stringify(index(documents3()))),
      document3: (path) => documents3().get(path),
      packed: new Map(),
    }
  }
}

/** @param version of the documents */
export function createOpenApi(version: string, kinds: Pick<Kinds, 'served'>): OpenApi {
  const documentsOf = createDocuments(version)
  let last: Documents | undefined
  const now = (): Documents => {
    const served = kinds.served()
    return last?.kinds === served ? last : (last = documentsOf(served))
  }

  const send = async (call: Call, body: string | Uint8Array, { documents, type, path = '' }: { documents: Documents; type: string; path?: string }): Promise<void> => {
    const key = `${type} ${path}`
    const { tag, zipped } = documents.packed.get(key) ?? pack(body)
    documents.packed.set(key, { tag, zipped })
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
      const documents = now()
      const type = choose(call, [json, ...protoTypes])
      // Go refuses to read the older of the two names in an answer, for its @.
      return type === json ? send(call, documents.json2(), { documents, type }) : send(call, documents.proto2(), { documents, type: protoTypes[1] })
    },
    v3(call, path) {
      choose(call, [json])
      const documents = now()
      const text = path === '' ? documents.index3() : documents.document3(path)
      if (text === undefined) throw nothingHere()
      return send(call, text, { documents, type: json, path: path && `v3/${path}` })
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

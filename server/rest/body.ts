/** Reading what a client sends: bounded, decoded, and every mistake named with its place. */
import type { IncomingMessage } from 'node:http'
import { isScalar, parseDocument } from 'yaml'
import type { ParsedNode, Tags } from 'yaml'
import { StatusError, badRequest } from '../../api/status.ts'
import { doubledFields } from './doubles.ts'
import { faultOf } from './fault.ts'
import { decodeObject, protobufType } from './protobuf/decode.ts'

/** The largest body in bytes, as in Kubernetes. */
export const maxBodyBytes = 3 * 1024 * 1024
/** A body that is too large is read to its end up to here, because most clients hear an answer only after they sent all. */
const drainBytes = 4 * maxBodyBytes
/** How deep objects and lists may be nested. */
export const maxDepth = 100
/** How many values, in lists and objects of any depth, a body may have. */
export const maxValues = 250_000

/** The Content-Type without its parameters, in lower case; '' if there is none. */
export function contentTypeOf(req: IncomingMessage): string {
  return (req.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/**
 * The body as a value, or undefined if it is empty. JSON and YAML are read, in UTF-8, and Kubernetes protobuf.
 * @throws StatusError UnsupportedMediaType, RequestEntityTooLarge, BadRequest
 */
export async function readBody(req: IncomingMessage): Promise<unknown> {
  return (await readDraft(req)).value
}

/** What a client sent, and what of it is told twice: only the last of a doubled field counts. */
export interface Sent {
  readonly value: unknown
  /** Each in the words of field validation. */
  readonly doubled: readonly string[]
}

/** Like `readBody`, with what strict field validation wants to know. */
export async function readDraft(req: IncomingMessage): Promise<Sent> {
  const type = contentTypeOf(req)
  const format = formatOf(type)
  if (req.headers['content-encoding'] && req.headers['content-encoding'] !== 'identity') {
    throw new StatusError('UnsupportedMediaType', `a body must be sent without Content-Encoding, not as ${req.headers['content-encoding']}`)
  }
  const bytes = await readBytes(req)
  if (format === 'protobuf') return { value: bytes.length === 0 ? undefined : decodeObject(bytes), doubled: [] }
  const text = textOf(bytes)
  if (text.trim() === '') return { value: undefined, doubled: [] }
  const json = format === 'yaml' ? quickJson(text) : parseJson(text)
  const sent = json === undefined ? parseYaml(text) : { value: json, doubled: doubledFields(text, json).map((path) => `duplicate field "${path}"`) }
  checkShape(sent.value)
  return sent
}

/** JSON where nothing is said. Any `+json` and `+yaml` type counts, for the patches. */
function formatOf(type: string): 'json' | 'yaml' | 'protobuf' {
  if (type === protobufType) return 'protobuf'
  if (type === '' || type === 'application/json' || type === '*/*' || type.endsWith('+json')) return 'json'
  if (type === 'application/yaml' || type === 'application/x-yaml' || type === 'text/yaml' || type.endsWith('+yaml')) return 'yaml'
  throw new StatusError('UnsupportedMediaType', `a body must be application/json or application/yaml, not ${type}`)
}

async function readBytes(req: IncomingMessage): Promise<Buffer> {
  if (Number(req.headers['content-length'] ?? 0) > drainBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  // The connection has to outlive a refusal, which is why the iterator must not destroy it.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= maxBodyBytes) chunks.push(chunk)
    if (size > drainBytes) throw tooLarge()
  }
  if (size > maxBodyBytes) throw tooLarge()
  return Buffer.concat(chunks)
}

const tooLarge = (): StatusError => new StatusError('RequestEntityTooLarge', `a request body may have ${maxBodyBytes} bytes`)

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (e) {
    throw new StatusError('BadRequest', 'the request body is not UTF-8', undefined, { cause: e })
  }
}

/** @throws StatusError BadRequest with line and column */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (e) {
    throw new StatusError('BadRequest', `the request body is not JSON: ${placeOf(text, faultOf(text))} is unexpected`, undefined, { cause: e })
  }
}

function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset)
  const line = before.split('\n').length
  const what = offset >= text.length ? 'the end' : JSON.stringify(/\w+|[^]/y.exec(text.slice(offset))![0].slice(0, 20))
  return `line ${line}, column ${offset - before.lastIndexOf('\n')}: ${what}`
}

/** YAML 1.1 as Kubernetes reads it: `yes` is true, but times and `12:30` are strings, and there are no tags beyond JSON. */
function withoutTimes(tags: Tags): Tags {
  return tags.filter((tag) => {
    if (typeof tag === 'string') return true
    return !/:(timestamp|omap|pairs|set|binary)$/.test(tag.tag) && !('format' in tag && tag.format === 'TIME')
  })
}

/** Most of what is sent as YAML is JSON, which is read a hundred times faster. */
function quickJson(text: string): unknown {
  if (!text.startsWith('{')) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

type SameKeys = (a: ParsedNode, b: ParsedNode) => boolean

function documentOf(text: string, uniqueKeys: SameKeys): ReturnType<typeof parseDocument> {
  try {
    return parseDocument(text, { version: '1.1', uniqueKeys, prettyErrors: true, merge: true, customTags: withoutTimes, logLevel: 'error' })
  } catch (e) {
    if (e instanceof RangeError) throw tooDeep(e)
    throw new StatusError('BadRequest', 'the request body is not usable YAML', undefined, { cause: e })
  }
}

const tooDeep = (cause?: unknown): StatusError =>
  new StatusError('BadRequest', `the request body is nested deeper than ${maxDepth} levels`, undefined, { cause })

function parseYaml(text: string): Sent {
  const doubled = new Set<string>()
  const document = documentOf(text, (a, b) => {
    if (isScalar(a) && isScalar(b) && a.value === b.value) doubled.add(`key ${JSON.stringify(a.value)} already set in map`)
    return false
  })
  const [error] = document.errors
  // It calls itself for each level, and gives up when there are too many.
  if (error?.code === 'RESOURCE_EXHAUSTION') throw tooDeep(error)
  if (error) {
    const place = error.linePos ? `line ${error.linePos[0].line}, column ${error.linePos[0].col}: ` : ''
    throw badRequest(`the request body is not YAML: ${place}${error.message.split('\n', 1)[0]}`)
  }
  try {
    // Aliases can make a small text into a huge value; a hundred are plenty for a manifest.
    return { value: document.toJS({ maxAliasCount: 100 }) as unknown, doubled: [...doubled] }
  } catch (e) {
    throw new StatusError('BadRequest', `the request body is not usable YAML: ${(e as Error).message}`, undefined, { cause: e })
  }
}

/** Refuses what later steps must not meet: bottomless nesting, and the one field name that means something to the language. */
function checkShape(root: unknown): void {
  let level: readonly unknown[] = [root]
  let count = 0
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) throw tooDeep()
    const next: unknown[] = []
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue
      if (Object.hasOwn(value, '__proto__')) throw badRequest('the request body has a field called __proto__, which is not allowed')
      for (const inner of Object.values(value) as unknown[]) next.push(inner)
    }
    count += next.length
    if (count > maxValues) throw badRequest(`the request body has more than ${maxValues} values`)
    level = next
  }
}

/**
 * The body as an object with fields.
 * @throws StatusError BadRequest
 */
export function asObject(body: unknown, what: string): { readonly [field: string]: unknown } {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as { readonly [field: string]: unknown }
  throw badRequest(body === undefined ? `the request has no body, it must be ${what}` : `the request body must be ${what}`)
}

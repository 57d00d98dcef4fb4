/** Writing answers. */
import { stringify } from 'yaml'
import type { Call } from './call.ts'
import type { Wanted } from './accept.ts'
import { StatusError } from '../../api/status.ts'
import type { Status } from '../../api/status.ts'

/** Sends a value as JSON (indented with `?pretty`) or YAML. `type` is a narrower name for the JSON. */
export function sendValue(call: Call, value: unknown, options: { code?: number; media?: Wanted['media']; type?: string } = {}): void {
  const yaml = options.media === 'yaml'
  const body = yaml ? stringify(value, { aliasDuplicateObjects: false }) : `${JSON.stringify(value, null, isPretty(call) ? 2 : undefined)}\n`
  sendText(call, body, { code: options.code ?? 200, type: yaml ? 'application/yaml' : (options.type ?? 'application/json') })
}

/** Sends JSON that is already text, in the form that the client wants. */
export function sendJson(call: Call, text: string, options: { code?: number; media?: Wanted['media'] } = {}): void {
  if (options.media === 'yaml' || isPretty(call)) sendValue(call, JSON.parse(text), options)
  else sendText(call, `${text}\n`, { code: options.code ?? 200, type: 'application/json' })
}

/** @param options.tag names this very text; who has it gets 304 instead. */
export function sendText(call: Call, body: string | Uint8Array, options: { code: number; type: string; tag?: string; lasting?: boolean }): void {
  const { res, req } = call
  if (options.tag !== undefined) {
    res.setHeader('ETag', `"${options.tag}"`)
    if (isKnown(req.headers['if-none-match'], options.tag)) return void res.writeHead(304).end()
  }
  res.statusCode = options.code
  res.setHeader('Content-Type', options.type)
  res.setHeader('Content-Length', Buffer.byteLength(body))
  res.setHeader('Cache-Control', options.lasting ? 'public, immutable, max-age=31536000' : 'no-cache, private')
  res.end(req.method === 'HEAD' ? undefined : body)
}

function isKnown(header: string | undefined, tag: string): boolean {
  const known = (header ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''))
  return known.includes(`"${tag}"`) || known.includes('*')
}

/** The answer to a failure. */
export function sendFailure(call: Call, error: StatusError): void {
  const { status } = error
  if (status.details?.retryAfterSeconds !== undefined) call.res.setHeader('Retry-After', status.details.retryAfterSeconds)
  sendValue(call, status, { code: status.code })
}

/** The failure for a path that leads nowhere. */
export const nothingHere = (): StatusError => new StatusError('NotFound', 'the server could not find the requested resource', {})

export function success(details: Status['details']): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', ...(details && { details }), code: 200 }
}

/**
 * RFC 7234 Warning headers, which kubectl shows to its user: quoted strings of printable ASCII. Each is said once, however often
 * a write is decided until the store takes it.
 */
export function warn(call: Call, warnings: readonly string[]): void {
  const said = [call.res.getHeader('Warning') ?? []].flat()
  const all = warnings.map((text) => `299 - "${text.replaceAll(/[^\x20-\x7e]/g, ' ').replaceAll(/[\\"]/g, String.raw`\$&`)}"`)
  const lines = [...new Set(all)].filter((line) => !said.includes(line))
  if (lines.length > 0) call.res.appendHeader('Warning', lines)
}

function isPretty({ query }: Call): boolean {
  const pretty = query.get('pretty')
  return pretty === '' || pretty === '1' || pretty === 'true'
}

/** The Kubernetes `Status` object (meta/v1): how a server says what went wrong, and in which field. */
import type { ResourceKind } from './resources.ts'

export type StatusReason =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Expired'
  | 'Invalid'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'TooManyRequests'
  | 'InternalError'
  | 'ServiceUnavailable'
  | 'Timeout'

/** What is wrong with one field. `field` is a path such as `spec.ports[0].port`. */
export interface StatusCause {
  readonly reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueDuplicate'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueNotFound'
    | 'ResourceVersionTooLarge'
    | 'NamespaceTerminating'
    | 'FieldManagerConflict'
    | 'DisruptionBudget'
  readonly field: string
  readonly message: string
}

export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: Record<string, never>
  readonly status: 'Success' | 'Failure'
  readonly message?: string
  readonly reason?: StatusReason
  readonly details?: {
    readonly name?: string
    readonly group?: string
    readonly kind?: string
    readonly uid?: string
    readonly causes?: readonly StatusCause[]
    readonly retryAfterSeconds?: number
  }
  readonly code: number
}

const httpCodes: Readonly<Record<StatusReason, number>> = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  Invalid: 422,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
}

/** What the server's rooms throw to answer a request with a failure. */
export class StatusError extends Error {
  readonly status: Status

  constructor(reason: StatusReason, message: string, details?: Status['details'], options?: ErrorOptions) {
    super(message, options)
    this.name = 'StatusError'
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details && { details }),
      code: httpCodes[reason],
    }
  }
}

/** What the messages name: the resource and, where there is one, the object. */
type Subject = Pick<ResourceKind, 'plural' | 'group' | 'kind' | 'version'>

const qualified = (s: Subject): string => (s.group ? `${s.plural}.${s.group}` : s.plural)
const about = (s: Subject, name: string): Status['details'] => ({ name, ...(s.group && { group: s.group }), kind: s.plural })

export const notFound = (s: Subject, name: string): StatusError =>
  new StatusError('NotFound', `${qualified(s)} "${name}" not found`, about(s, name))

export const alreadyExists = (s: Subject, name: string): StatusError =>
  new StatusError('AlreadyExists', `${qualified(s)} "${name}" already exists`, about(s, name))

export const conflict = (s: Subject, name: string, why: string): StatusError =>
  new StatusError('Conflict', `Operation cannot be fulfilled on ${qualified(s)} "${name}": ${why}`, about(s, name))

/** @param causes at least one */
export function invalid(s: Subject, name: string, causes: readonly StatusCause[]): StatusError {
  const list = causes.map((c) => `${c.field}: ${c.message}`)
  const text = list.length === 1 ? list[0] : `[${list.join(', ')}]`
  const typed = s.group ? `${s.kind}.${s.group}` : s.kind
  return new StatusError('Invalid', `${typed} "${name}" is invalid: ${text}`, { ...about(s, name), kind: s.kind, causes })
}

export const badRequest = (message: string): StatusError => new StatusError('BadRequest', message)

/** The answer to a watch or list at a revision that is no longer kept. */
export const expired = (asked: number, oldest: number): StatusError =>
  new StatusError('Expired', `too old resource version: ${asked} (${oldest})`)


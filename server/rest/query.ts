/** Reading query parameters. Every function throws StatusError BadRequest or Invalid that names the parameter. */
import { StatusError, badRequest, invalid } from '../../api/status.ts'
import type { StatusCause } from '../../api/status.ts'

/** A boolean as Go reads one; a parameter without a value counts as true. */
export function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name)
  if (text === null || ['0', 'f', 'F', 'false', 'False', 'FALSE'].includes(text)) return false
  if (['', '1', 't', 'T', 'true', 'True', 'TRUE'].includes(text)) return true
  throw badRequest(`query parameter ${name} must be true or false, not ${JSON.stringify(text)}`)
}

/** A whole number from `least` up, or undefined where the parameter is absent or empty. */
export function integer(query: URLSearchParams, name: string, least = 0): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  const value = Number(text)
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw badRequest(`query parameter ${name} must be a whole number from ${least} up, not ${JSON.stringify(text)}`)
  }
  return value
}

/** The failure for options that cannot be met; causes are at least one. */
export function refusedOptions(of: string, causes: readonly StatusCause[]): StatusError {
  return invalid({ group: 'meta.k8s.io', version: 'v1', kind: of, plural: '' }, '', causes)
}

const refused = (of: string, reason: StatusCause['reason'], field: string, message: string): StatusError =>
  new StatusError('Invalid', `${of} "" is invalid: ${field}: ${message}`, { kind: of, causes: [{ reason, field, message }] })

/** @returns whether `dryRun=All` is among the values */
export function dryRun(values: readonly unknown[]): boolean {
  const odd = values.find((value) => value !== 'All' && value !== '')
  if (odd === undefined) return values.includes('All')
  throw refused('Options', 'FieldValueNotSupported', 'dryRun', `Unsupported value: ${JSON.stringify(odd)}: supported values: "All"`)
}

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

/** What to do about fields that the kind does not have; Warn where nothing is said, as in Kubernetes. */
export function fieldValidation(query: URLSearchParams): FieldValidation {
  const text = query.get('fieldValidation')
  if (text === null || text === '') return 'Warn'
  if (text === 'Ignore' || text === 'Warn' || text === 'Strict') return text
  const message = `Unsupported value: ${JSON.stringify(text)}: supported values: "Ignore", "Strict", "Warn"`
  throw refused('Options', 'FieldValueNotSupported', 'fieldValidation', message)
}

/** Which state a reader wants. `atLeast` is a revision; without it the newest is wanted, which memory always is. */
export interface Freshness {
  readonly atLeast?: number
  /** Exactly this revision, not a newer one. */
  readonly exact: boolean
}

/** `resourceVersion` and `resourceVersionMatch` of a get or list. */
export function freshness(query: URLSearchParams): Freshness {
  const version = query.get('resourceVersion') ?? ''
  const match = query.get('resourceVersionMatch') ?? ''
  if (match !== '') {
    const forbidden = (message: string): StatusError =>
      refused('ListOptions', 'FieldValueForbidden', 'resourceVersionMatch', `Forbidden: ${message}`)
    if (version === '') throw forbidden('resourceVersionMatch is forbidden unless resourceVersion is provided')
    if (query.get('continue')) throw forbidden('resourceVersionMatch is forbidden when continue is provided')
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      const message = `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan"`
      throw refused('ListOptions', 'FieldValueNotSupported', 'resourceVersionMatch', message)
    }
    if (match === 'Exact' && version === '0') throw forbidden('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
  }
  const atLeast = revision(version)
  return { ...(atLeast !== undefined && { atLeast }), exact: match === 'Exact' }
}

/** What only a watch, or only the first piece of a list may ask for. */
export function forbidOnList(query: URLSearchParams, continued: boolean): void {
  if (query.has('sendInitialEvents')) throw refused('ListOptions', 'FieldValueForbidden', 'sendInitialEvents', 'Forbidden: sendInitialEvents is forbidden for list')
  const version = query.get('resourceVersion') ?? ''
  if (continued && version !== '' && version !== '0') throw badRequest('specifying resource version is not allowed when using continue')
}

/** A resourceVersion as a number; undefined for '' and for '0', which both mean: any, and the newest is at hand. */
export function revision(text: string): number | undefined {
  if (text === '' || text === '0') return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw refused('ListOptions', 'FieldValueInvalid', 'resourceVersion', `Invalid value: ${JSON.stringify(text)}: must be a whole number`)
}

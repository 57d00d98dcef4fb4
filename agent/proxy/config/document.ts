/** A configuration document: read, and every field of it checked against the table. */
import { parse } from 'yaml'
import { ProxyError } from '../error.ts'
import { parseDuration } from './duration.ts'
import { fieldAt, isSection, nearestField, type Field, type FieldKind } from './fields.ts'

export const apiVersion = 'kubeproxy.config.k8s.io/v1alpha1'
export const documentKind = 'KubeProxyConfiguration'

/** What a field holds: durations are milliseconds. */
export interface Values {
  readonly text: string
  readonly yesno: boolean
  readonly whole: number
  readonly number: number
  readonly duration: number
  readonly texts: readonly string[]
  readonly gates: Readonly<Record<string, boolean>>
  readonly open: unknown
}

/** The fields that were given, by their path. A null is a field that was not given. */
export type Document = ReadonlyMap<string, Values[FieldKind]>

/**
 * Reads YAML or JSON.
 * @param source for errors: the file's name
 * @throws ProxyError USAGE that names the field and the way out
 */
export function readDocument(text: string, source: string): Document {
  const whole = parseText(text, source)
  const found = new Map<string, Values[FieldKind]>()
  for (const [name, value] of Object.entries(whole)) take(found, name, value, source)
  const [version, kind] = [found.get('apiVersion'), found.get('kind')]
  if (version !== apiVersion || kind !== documentKind) {
    throw refused(source, 'apiVersion', `${String(version)}, kind ${String(kind)}: expected ${apiVersion}, kind ${documentKind}`)
  }
  return found
}

function parseText(text: string, source: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    throw new ProxyError('USAGE', `${source} is neither YAML nor JSON: ${(cause as Error).message}`, { cause })
  }
  if (!isMap(value)) throw new ProxyError('USAGE', `${source} holds no ${documentKind}: expected a map of fields`)
  return value
}

function take(found: Map<string, Values[FieldKind]>, path: string, value: unknown, source: string): void {
  const field = fieldAt(path)
  if (field) {
    if (value !== null) found.set(path, checked(field, value, source))
  } else if (isSection(path)) {
    if (value === null) return
    if (!isMap(value)) throw refused(source, path, `${told(value)}: expected a map of fields`)
    for (const [name, part] of Object.entries(value)) take(found, `${path}.${name}`, part, source)
  } else {
    const near = nearestField(path)
    throw refused(source, path, `there is no such field${near ? `; did you mean ${near}?` : ': take it out'}`)
  }
}

/** @throws ProxyError USAGE */
function checked(field: Field, value: unknown, source: string): Values[FieldKind] {
  const wrong = (expected: string): ProxyError => refused(source, field.path, `${told(value)}: expected ${expected}`)
  switch (field.kind) {
    case 'text':
      if (typeof value !== 'string') throw wrong('a text; put it in quotes')
      return value
    case 'yesno':
      if (typeof value !== 'boolean') throw wrong('true or false')
      return value
    case 'whole':
      if (!Number.isSafeInteger(value)) throw wrong('a whole number')
      return value as number
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong('a number')
      return value
    case 'duration': {
      const ms = typeof value === 'string' ? parseDuration(value) : undefined
      if (ms === undefined) throw wrong('a duration such as 30s or 1h30m')
      return ms
    }
    case 'texts':
      if (!Array.isArray(value) || value.some((v) => typeof v !== 'string')) throw wrong('a list of texts')
      return value as string[]
    case 'gates':
      if (!isMap(value) || Object.values(value).some((v) => typeof v !== 'boolean')) throw wrong('a map of names to true or false')
      return value as Record<string, boolean>
    case 'open':
      return value
  }
}

function refused(source: string, path: string, what: string): ProxyError {
  return new ProxyError('USAGE', `${source}: ${path}: ${what}`)
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const told = (value: unknown): string => JSON.stringify(value)?.slice(0, 100) ?? String(value)

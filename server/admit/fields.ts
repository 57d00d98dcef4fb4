/**
 * Which fields the API types have, and what that means for a client's object: the fields that it should not have, and the
 * object without them. The table is made by `generate-fields.ts`. Pure, and as deep as the types are, whatever is sent.
 */
import type { ResourceKind } from '../../api/resources.ts'
import table from './fields.json' with { type: 'json' }

/**
 * What a field holds: '' a value; '!' one of some words; a name: an object of that type; '[' and a code: a list; '{' and a
 * code: a map from free keys.
 */
type Code = string
type Plain = Readonly<Record<string, unknown>>

const types: Readonly<Record<string, Readonly<Record<string, Code>>>> = table

/** More are not told of at once. */
const maxUnknown = 50

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Paths of the fields that the kind does not have, such as `spec.template.spec.containers[0].imagee`; at most 50. */
export function unknownFields(kind: Pick<ResourceKind, 'kind'>, object: unknown): string[] {
  const found: string[] = []
  if (!isKnown(kind.kind, object)) collect(kind.kind, object, { path: '', found })
  return found
}

/** Whether a value has no field but those of its type, as nearly all have: what follows is for the others. */
function isKnown(code: Code, value: unknown): boolean {
  if (code.startsWith('[')) return !Array.isArray(value) || value.every((item) => isKnown(code.slice(1), item))
  if (code === '' || code === '!' || code === 'FieldsV1' || !isPlain(value)) return true
  const fields = code.startsWith('{') ? undefined : types[code]!
  return Object.keys(value).every((key) => (fields ? Object.hasOwn(fields, key) && isKnown(fields[key]!, value[key]) : isKnown(code.slice(1), value[key])))
}

interface Place {
  readonly path: string
  readonly found: string[]
}

function collect(code: Code, value: unknown, { path, found }: Place): void {
  if (found.length >= maxUnknown) return
  if (code.startsWith('[')) {
    if (Array.isArray(value)) value.forEach((item, i) => collect(code.slice(1), item, { path: `${path}[${i}]`, found }))
    return
  }
  // A set of fields has steps of its own making, which `server/managed` reads.
  if (code === '' || code === '!' || code === 'FieldsV1' || !isPlain(value)) return
  const fields = code.startsWith('{') ? undefined : types[code]!
  for (const [key, item] of Object.entries(value)) {
    if (!fields) collect(code.slice(1), item, { path: `${path}[${key}]`, found })
    else if (Object.hasOwn(fields, key)) collect(fields[key]!, item, { path: join(path, key), found })
    else if (found.length < maxUnknown) found.push(join(path, key))
  }
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)

/**
 * The object with only what the kind knows. Gone are unknown fields, nulls (Kubernetes reads them as absent), empty
 * strings where one of some words belongs (likewise), and `metadata.managedFields`, which `server/managed` keeps.
 */
export function pruned(kind: Pick<ResourceKind, 'kind'>, object: Plain): Plain {
  return isPruned(kind.kind, object) ? object : (prune(kind.kind, object) as Plain)
}

/** Whether a value has nothing that goes. */
function isPruned(code: Code, value: unknown): boolean {
  if (code.startsWith('[')) return !Array.isArray(value) || value.every((item) => isPruned(code.slice(1), item))
  if (code === '' || code === '!' || !isPlain(value)) return true
  const fields = code.startsWith('{') ? undefined : types[code]!
  return Object.keys(value).every((key) => {
    const of = fields ? (Object.hasOwn(fields, key) ? fields[key] : undefined) : code.slice(1)
    return of !== undefined && !goes(of, value[key]) && isPruned(of, value[key])
  })
}

const goes = (of: Code, item: unknown): boolean => item === null || item === undefined || of === '[ManagedFieldsEntry' || (of === '!' && item === '')

function prune(code: Code, value: unknown): unknown {
  if (code.startsWith('[')) return Array.isArray(value) ? value.map((item: unknown) => prune(code.slice(1), item)) : value
  if (code === '' || code === '!' || !isPlain(value)) return value
  const fields = code.startsWith('{') ? undefined : types[code]!
  const kept: [string, unknown][] = []
  for (const [key, item] of Object.entries(value)) {
    const of = fields ? (Object.hasOwn(fields, key) ? fields[key]! : undefined) : code.slice(1)
    if (of === undefined || goes(of, item)) continue
    kept.push([key, prune(of, item)])
  }
  // fromEntries defines its fields, so that a key named __proto__ stays a key.
  return Object.fromEntries(kept)
}

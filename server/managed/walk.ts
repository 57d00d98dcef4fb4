/** From objects to sets of fields: what an object has, and what changed between two. Pure. */
import { isDeepStrictEqual } from 'node:util'
import { member, none, withSelf } from './fields.ts'
import type { Fields } from './fields.ts'
import { leaf } from './shape.ts'
import type { JsonMap, Shape } from './shape.ts'

export type Table = Extract<Shape, { kind: 'table' }>

export function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The step to an item of a table, undefined where it has none of the keys. */
export function keyStep(item: unknown, { keys, defaults }: Table): string | undefined {
  if (!isMap(item)) return undefined
  const found = keys
    .map((key) => [key, item[key] ?? defaults[key]] as const)
    .filter(([, value]) => value !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  const named = keys.some((key) => item[key] !== undefined && item[key] !== null)
  return named ? `k:${JSON.stringify(Object.fromEntries(found))}` : undefined
}

export const valueStep = (value: unknown): string => `v:${JSON.stringify(value)}`

/** The parts of a value by their steps, with their shapes; undefined where the value is one field as a whole. */
export function partsOf(value: unknown, shape: Shape): ReadonlyMap<string, readonly [part: unknown, shape: Shape]> | undefined {
  switch (shape.kind) {
    case 'leaf':
      return undefined
    case 'set':
      return Array.isArray(value) ? new Map(value.map((item: unknown) => [valueStep(item), [item, leaf]])) : undefined
    case 'table':
      return Array.isArray(value) ? itemsOf(value, shape) : undefined
    case 'map':
      return isMap(value) ? new Map(Object.entries(value).map(([key, item]) => [`f:${key}`, [item, shape.of]])) : undefined
    case 'struct':
      if (!isMap(value)) return undefined
      return new Map(Object.entries(value).map(([key, item]) => [`f:${key}`, [item, shape.fields.get(key) ?? shape.rest ?? leaf]]))
  }
}

function itemsOf(list: readonly unknown[], shape: Table): ReadonlyMap<string, readonly [unknown, Shape]> | undefined {
  const items = new Map<string, readonly [unknown, Shape]>()
  for (const item of list) {
    const step = keyStep(item, shape)
    // A list whose items have no names can only be looked at as a whole.
    if (step === undefined) return undefined
    items.set(step, [item, shape.item])
  }
  return items
}

/** The fields that a value has. */
export function fieldsIn(value: unknown, shape: Shape): Fields {
  const parts = partsOf(value, shape)
  if (!parts || parts.size === 0) return member
  const named = shape.kind === 'table' || shape.kind === 'map'
  const fields: Record<string, Fields> = {}
  for (const [step, [part, of]] of parts) fields[step] = named ? withSelf(fieldsIn(part, of)) : fieldsIn(part, of)
  return fields
}

/** Structs and lists that are never absent in an object, so that nobody adds or removes them. */
const everPresent: ReadonlySet<string> = new Set(
  ['metadata', 'spec', 'status', 'template', 'strategy', 'updateStrategy', 'jobTemplate', 'resources', 'containers'].map((f) => `f:${f}`),
)

/** The fields of a value that was not there before: like `fieldsIn`, and each container that came with it. */
function fieldsAdded(value: unknown, shape: Shape, step: string): Fields {
  const parts = partsOf(value, shape)
  if (!parts || parts.size === 0) return member
  const fields: Record<string, Fields> = {}
  for (const [inner, [part, of]] of parts) fields[inner] = fieldsAdded(part, of, inner)
  return everPresent.has(step) ? fields : withSelf(fields)
}

/** What happened to the fields of a value. */
export interface Delta {
  readonly added: Fields
  readonly modified: Fields
  readonly removed: Fields
}

const unchanged: Delta = { added: none, modified: none, removed: none }

/** The changes from one object to another. */
export function compare(before: JsonMap, after: JsonMap, shape: Shape): Delta {
  return deltaOf(before, after, shape) ?? unchanged
}

/** Parts of a delta: a step that is absent there did not change in that way. */
type Parts = { readonly [way in keyof Delta]?: Fields }

function deltaOf(before: unknown, after: unknown, shape: Shape): Delta | undefined {
  const parts = partsDelta(before, after, shape)
  return parts && { ...unchanged, ...parts }
}

function partsDelta(before: unknown, after: unknown, shape: Shape): Parts | undefined {
  if (before === after) return undefined
  const [old, now] = [partsOf(before, shape), partsOf(after, shape)]
  if (!old || !now || (old.size === 0 && now.size === 0)) return isDeepStrictEqual(before, after) ? undefined : { modified: member }
  const found = { added: {} as Record<string, Fields>, modified: {} as Record<string, Fields>, removed: {} as Record<string, Fields> }
  for (const [step, [part, of]] of now) {
    const was = old.get(step)
    if (!was) {
      found.added[step] = fieldsAdded(part, of, step)
      continue
    }
    const delta = partsDelta(was[0], part, of)
    for (const way of ['added', 'modified', 'removed'] as const) if (delta?.[way]) found[way][step] = delta[way]
  }
  for (const [step, [part, of]] of old) if (!now.has(step)) found.removed[step] = fieldsAdded(part, of, step)
  const ways = Object.entries(found).filter(([, fields]) => Object.keys(fields).length > 0)
  return ways.length > 0 ? (Object.fromEntries(ways) as Parts) : undefined
}

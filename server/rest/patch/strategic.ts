/**
 * Strategic merge patch: a JSON merge patch that knows which lists are tables. Directives: `$patch` (merge, replace,
 * delete), `$retainKeys`, `$deleteFromPrimitiveList/F`, `$setElementOrder/F`.
 * Source: Kubernetes contributor documentation, "Strategic Merge Patch".
 */
import { badRequest } from '../../../api/status.ts'
import { plain } from './keys.ts'
import type { Rule, Shape } from './keys.ts'

type Json = unknown
type JsonMap = { readonly [field: string]: Json }

const orderOf = '$setElementOrder/'
const deleteFrom = '$deleteFromPrimitiveList/'

/**
 * The patched object, a new value; neither argument is changed.
 * @throws StatusError BadRequest where the patch does not fit the object's shape
 */
export function strategicMerge(current: JsonMap, patch: JsonMap, shape: Shape): JsonMap {
  return mergeMaps(current, patch, { shape, path: '' })
}

interface Place {
  readonly shape: Shape
  readonly path: string
}

function mergeMaps(current: JsonMap, patch: JsonMap, place: Place): JsonMap {
  const directive = patch.$patch
  if (directive === 'replace') return withoutDirectives(patch, place)
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge') throw badRequest(`${place.path}$patch: unknown directive ${JSON.stringify(directive)}`)
  const merged: Record<string, Json> = retained(current, patch, place)
  for (const field of fieldsOf(patch)) {
    const value = patch[field]
    if (value === null) delete merged[field]
    else merged[field] = mergeField({ current: merged[field], patch, field, place })
  }
  return merged
}

/** The fields that the patch speaks of, be it only by a directive. */
function fieldsOf(patch: JsonMap): ReadonlySet<string> {
  const fields = new Set<string>()
  for (const name of Object.keys(patch)) {
    if (!name.startsWith('$')) fields.add(name)
    else if (name.startsWith(orderOf)) fields.add(name.slice(orderOf.length))
    else if (name.startsWith(deleteFrom)) fields.add(name.slice(deleteFrom.length))
  }
  return fields
}

function retained(current: JsonMap, patch: JsonMap, place: Place): Record<string, Json> {
  if (patch.$retainKeys === undefined) return { ...current }
  const keep = new Set(listAt(patch.$retainKeys, `${place.path}$retainKeys`))
  const astray = Object.keys(patch).find((field) => !field.startsWith('$') && patch[field] !== null && !keep.has(field))
  if (astray !== undefined) throw badRequest(`${place.path}$retainKeys does not name ${astray}, which the patch sets`)
  return Object.fromEntries(Object.entries(current).filter(([field]) => keep.has(field)))
}

interface FieldMerge {
  readonly current: Json
  readonly patch: JsonMap
  readonly field: string
  readonly place: Place
}

function mergeField({ current, patch, field, place }: FieldMerge): Json {
  const path = `${place.path}${field}`
  // A rule is looked up as an own property: a patch may carry a field called `constructor`.
  const rule: Rule | undefined = Object.hasOwn(place.shape, field) ? place.shape[field] : undefined
  const value = patch[field]
  if (rule?.kind === 'list' || rule?.kind === 'set') {
    const wished = value === undefined ? [] : listAt(value, path)
    const order = patch[orderOf + field] === undefined ? undefined : listAt(patch[orderOf + field], orderOf + path)
    const old = Array.isArray(current) ? (current as readonly Json[]) : []
    if (rule.kind === 'list') return mergeLists(old, wished, { ...rule, path, order })
    const gone = patch[deleteFrom + field] === undefined ? [] : listAt(patch[deleteFrom + field], deleteFrom + path)
    const kept = [...new Set([...old, ...wished])].filter((item) => !gone.includes(item))
    return order ? arrange(kept, { order, old, keyOf: (item) => item }) : kept
  }
  const inner = { shape: rule?.kind === 'map' ? rule.of : plain, path: `${path}.` }
  // Directives for a list that is atomic: there is nothing to merge, so the list stays as it is.
  if (value === undefined) return current
  if (!isMap(value)) return value
  return mergeMaps(isMap(current) ? current : {}, value, inner)
}

interface ListPlace {
  readonly key: string
  readonly item: Shape
  readonly path: string
  readonly order: readonly Json[] | undefined
}

function mergeLists(old: readonly Json[], wished: readonly Json[], place: ListPlace): readonly Json[] {
  const items = wished.map((item, at) => mapAt(item, `${place.path}[${at}]`))
  const inner = { shape: place.item, path: `${place.path}[].` }
  if (items.some((item) => item.$patch === 'replace')) {
    return items.filter((item) => item.$patch === undefined).map((item) => withoutDirectives(item, inner))
  }
  const keyOf = (item: Json): Json => (isMap(item) ? item[place.key] : undefined)
  let merged: Json[] = [...old]
  for (const [at, item] of items.entries()) {
    const key = keyOf(item)
    if (key === undefined) throw badRequest(`${place.path}[${at}] does not have the merge key ${place.key}`)
    if (item.$patch === 'delete') {
      merged = merged.filter((other) => keyOf(other) !== key)
      continue
    }
    const found = merged.findIndex((other) => keyOf(other) === key)
    if (found < 0) merged.push(mergeMaps({}, item, inner))
    else merged[found] = mergeMaps(merged[found] as JsonMap, item, inner)
  }
  if (!place.order) return merged
  const order = place.order.map((entry, at) => mapAt(entry, `${orderOf}${place.path}[${at}]`)[place.key])
  return arrange(merged, { order, old, keyOf })
}

interface Arrangement {
  readonly order: readonly Json[]
  /** The list before the patch: it says where the items stay that only the server knows. */
  readonly old: readonly Json[]
  readonly keyOf: (item: Json) => Json
}

/** Items that `order` names come in that order; the others keep their place relative to what stood around them. */
function arrange(items: readonly Json[], { order, old, keyOf }: Arrangement): readonly Json[] {
  const rank = new Map(order.map((key, at) => [key, at]))
  const before = new Map(old.map((item, at) => [keyOf(item), at]))
  const named = items.filter((item) => rank.has(keyOf(item))).toSorted((a, b) => rank.get(keyOf(a))! - rank.get(keyOf(b))!)
  const others = items.filter((item) => !rank.has(keyOf(item)))
  const result: Json[] = []
  for (const item of named) {
    const place = before.get(keyOf(item))
    while (place !== undefined && others.length > 0 && (before.get(keyOf(others[0])) ?? Infinity) < place) result.push(others.shift())
    result.push(item)
  }
  return [...result, ...others]
}

/** A value that is new as a whole: what directives it has are obeyed against nothing, and do not stay in it. */
function withoutDirectives(value: JsonMap, place: Place): JsonMap {
  const { $patch: _, ...rest } = value
  return mergeMaps({}, rest, place)
}

function isMap(value: Json): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mapAt(value: Json, path: string): JsonMap {
  if (!isMap(value)) throw badRequest(`${path} must be an object in this patch`)
  return value
}

function listAt(value: Json, path: string): readonly Json[] {
  if (!Array.isArray(value)) throw badRequest(`${path} must be a list in this patch`)
  return value as readonly Json[]
}

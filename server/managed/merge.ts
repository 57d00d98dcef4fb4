/** What server-side apply makes of an object: the configuration merged into it, without what the applier gave up. Pure. */
import { childOf, isMember } from './fields.ts'
import type { Fields } from './fields.ts'
import type { JsonMap, Shape } from './shape.ts'
import { isMap, keyStep, partsOf, valueStep } from './walk.ts'

/** The object with every field of the configuration; lists that are divided are merged item by item. */
export function merge(live: JsonMap, config: JsonMap, shape: Shape): JsonMap {
  return merged(live, config, shape) as JsonMap
}

function merged(live: unknown, config: unknown, shape: Shape): unknown {
  if (live === undefined || live === null) return config
  if (shape.kind === 'leaf') return config
  if (shape.kind === 'set' || shape.kind === 'table') {
    if (!partsOf(live, shape) || !partsOf(config, shape)) return config
    return mergedLists(live as readonly unknown[], config as readonly unknown[], shape)
  }
  if (!isMap(live) || !isMap(config)) return config
  const result: [string, unknown][] = Object.entries({ ...live, ...config }).map(([field, value]) => {
    if (!Object.hasOwn(live, field) || !Object.hasOwn(config, field)) return [field, value]
    const of = shape.kind === 'map' ? shape.of : (shape.fields.get(field) ?? shape.rest)
    return [field, of ? merged(live[field], config[field], of) : config[field]]
  })
  return Object.fromEntries(result)
}

/** The order is that of the configuration; what only the object has keeps its place behind what stood before it. */
function mergedLists(live: readonly unknown[], config: readonly unknown[], shape: Extract<Shape, { kind: 'set' | 'table' }>): unknown[] {
  const stepOf = (item: unknown): string => (shape.kind === 'set' ? valueStep(item) : keyStep(item, shape)!)
  const old = new Map(live.map((item) => [stepOf(item), item]))
  const wanted = new Map(config.map((item) => [stepOf(item), item]))
  const waiting = [...old.keys()]
  const done = new Set<string>()
  const result: unknown[] = []
  const passOthers = (): void => {
    for (let next = waiting[0]; next !== undefined && (!wanted.has(next) || done.has(next)); next = waiting[0]) {
      if (!wanted.has(next)) result.push(old.get(next))
      waiting.shift()
    }
  }
  for (const [step, item] of wanted) {
    passOthers()
    result.push(shape.kind === 'table' && old.has(step) ? merged(old.get(step), item, shape.item) : item)
    done.add(step)
  }
  passOthers()
  return result
}

/** Whose fields a part of an object is. */
export interface Claims {
  /** What the applier had when it last applied. */
  readonly last: Fields
  /** What anyone has now, the applier's new configuration included. */
  readonly owned: Fields
}

/** The object without the parts that the applier had and nobody has now, with all that is in them. */
export function released(value: JsonMap, shape: Shape, claims: Claims): JsonMap {
  return release(value, shape, claims) as JsonMap
}

function release(value: unknown, shape: Shape, { last, owned }: { last: Fields; owned: Fields | undefined }): unknown {
  const parts = partsOf(value, shape)
  if (!parts) return value
  const kept = new Map<string, unknown>()
  for (const [step, [part, of]] of parts) {
    const had = childOf(last, step)
    if (had === undefined) kept.set(step, part)
    // A named field goes also where only something below it was had; an item of a list where it was had itself.
    else if (childOf(owned, step) === undefined && (step.startsWith('f:') || isMember(had))) continue
    else kept.set(step, release(part, of, { last: had, owned: childOf(owned, step) }))
  }
  if (kept.size === parts.size && [...kept].every(([step, part]) => parts.get(step)![0] === part)) return value
  return Array.isArray(value) ? [...kept.values()] : Object.fromEntries([...kept].map(([step, part]) => [step.slice(2), part]))
}

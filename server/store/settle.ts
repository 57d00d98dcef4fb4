/**
 * Makes a value the store's own: plain JSON data, deep-frozen, sharing with `held` (a settled value) every part that is
 * equal to it. So `settle(next, held) === held` says that nothing changed, and no caller can reach into the store.
 * Drops what JSON drops (undefined fields) so that memory holds exactly what the disk will give back.
 * @throws TypeError for what JSON cannot carry
 */
export function settle(next: unknown, held: unknown): unknown {
  if (next === held && typeof next === 'object') return held
  if (next === null || typeof next === 'string' || typeof next === 'boolean') return next
  // JSON prints -0 as 0.
  if (typeof next === 'number' && Number.isFinite(next)) return next + 0
  if (Array.isArray(next)) return settleList(next, Array.isArray(held) ? (held as unknown[]) : [])
  if (isPlain(next)) return settleMap(next, isPlain(held) ? held : {})
  throw new TypeError(`the store keeps JSON, which has no such ${typeof next}`)
}

/**
 * The same for values that were just parsed, one after the other, and are nobody else's: they are frozen where they stand. A string
 * that the value before had under the same name is kept once: kinds, namespaces, times and lists of managed fields repeat by the
 * thousand.
 */
export function createOwning(): (parsed: unknown) => unknown {
  /** What is kept for that: names may be anything, and so may what they name. */
  const [names, longest] = [512, 4_096]
  const last = new Map<string, string>()
  const own = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) {
      for (const item of value) own(item)
      return Object.freeze(value)
    }
    const map = value as Plain
    for (const name of Object.keys(map)) {
      const part = map[name]
      if (typeof part !== 'string') own(part)
      else if (last.get(name) === part) map[name] = last.get(name)
      else if (part.length <= longest && (last.size < names || last.has(name))) last.set(name, part)
    }
    return Object.freeze(map)
  }
  return own
}

type Plain = Record<string, unknown>

function isPlain(value: unknown): value is Plain {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function settleList(next: readonly unknown[], held: readonly unknown[]): readonly unknown[] {
  const list = next.map((item, i) => settle(item, held[i]))
  // A `held` that is the empty stand-in is not frozen and must not be given out.
  const same = list.length === held.length && list.every((item, i) => item === held[i]) && Object.isFrozen(held)
  return same ? held : Object.freeze(list)
}

function settleMap(next: Plain, held: Plain): Plain {
  const keys = Object.keys(next).filter((key) => next[key] !== undefined)
  const values: unknown[] = []
  let same = Object.isFrozen(held) && keys.length === Object.keys(held).length
  for (const key of keys) {
    const known = Object.hasOwn(held, key)
    const settled = settle(next[key], known ? held[key] : undefined)
    same &&= known && settled === held[key]
    values.push(settled)
  }
  // Most parts of most objects are the same: nothing is made for them.
  if (same) return held
  const made: Plain = {}
  for (const [i, key] of keys.entries()) {
    if (key === '__proto__') Object.defineProperty(made, key, { value: values[i], enumerable: true, configurable: true, writable: true })
    else made[key] = values[i]
  }
  return Object.freeze(made)
}

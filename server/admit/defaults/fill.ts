/** The object with the fields that it lacks; what it has stays. The object itself where it lacks none. */
export function fill<T extends object>(object: T, defaults: Partial<T>): T {
  const missing = (Object.keys(defaults) as (keyof T)[]).filter((key) => object[key] === undefined && defaults[key] !== undefined)
  if (missing.length === 0) return object
  return { ...object, ...Object.fromEntries(missing.map((key) => [key, defaults[key]])) }
}

/** A list with each item changed; absent stays absent. */
export function each<T>(list: readonly T[] | undefined, change: (item: T) => T): T[] | undefined {
  return list?.map(change)
}

/**
 * Sets of fields, in the form in which the API shows them (meta/v1 FieldsV1): a tree of steps. `f:NAME` is a field,
 * `k:{...}` the item of a table with these keys, `v:VALUE` a member of a set. A step without children belongs to the set; one
 * with children belongs to it if `.` is among them. Pure; nothing is changed in place.
 */
export interface Fields {
  readonly [step: string]: Fields
}

export const none: Fields = {}
/** A step that belongs to the set and has nothing below it. */
export const member: Fields = {}
const self = '.'

export const isEmpty = (fields: Fields): boolean => {
  for (const _ in fields) return false
  return true
}

/** Whether a step itself, not only something below it, belongs to the set. */
export const isMember = (fields: Fields): boolean => isEmpty(fields) || Object.hasOwn(fields, self)

/** The step with itself in the set. */
export const withSelf = (fields: Fields): Fields => (isMember(fields) ? fields : { [self]: none, ...fields })

export const childOf = (fields: Fields | undefined, step: string): Fields | undefined =>
  fields !== undefined && Object.hasOwn(fields, step) ? fields[step] : undefined

/** @returns undefined where nothing is left */
function rebuilt(own: boolean, children: Record<string, Fields>): Fields | undefined {
  if (isEmpty(children)) return own ? member : undefined
  return own ? { [self]: none, ...children } : children
}

const steps = (fields: Fields): readonly string[] => Object.keys(fields).filter((step) => step !== self)

export function union(a: Fields, b: Fields): Fields {
  if (a === b || isEmpty(b)) return a
  return isEmpty(a) ? b : below(a, b)
}

function below(a: Fields, b: Fields): Fields {
  const all: Record<string, Fields> = { ...a }
  for (const step of Object.keys(b)) {
    const there = childOf(a, step)
    all[step] = there === undefined ? b[step]! : joined(there, b[step]!)
  }
  return all
}

function joined(a: Fields, b: Fields): Fields {
  if (a === b) return a
  if (isEmpty(a)) return withSelf(b)
  return isEmpty(b) ? withSelf(a) : below(a, b)
}

/** What of `a` is not in `b`. */
export function difference(a: Fields, b: Fields): Fields {
  if (isEmpty(a) || isEmpty(b)) return a
  const left: Record<string, Fields> = {}
  for (const step of Object.keys(a)) {
    const other = childOf(b, step)
    const rest = other === undefined ? a[step]! : without(a[step]!, other)
    if (rest !== undefined) left[step] = rest
  }
  return left
}

function without(a: Fields, b: Fields): Fields | undefined {
  const children: Record<string, Fields> = {}
  for (const step of steps(a)) {
    const other = childOf(b, step)
    const rest = other === undefined ? a[step]! : without(a[step]!, other)
    if (rest !== undefined) children[step] = rest
  }
  return rebuilt(isMember(a) && !isMember(b), children)
}

/** What is in both. */
export function intersection(a: Fields, b: Fields): Fields {
  if (isEmpty(a) || isEmpty(b)) return none
  return shared(a, b, false) ?? none
}

function shared(a: Fields, b: Fields, own: boolean): Fields | undefined {
  const children: Record<string, Fields> = {}
  for (const step of steps(a)) {
    const other = childOf(b, step)
    const both = other && shared(a[step]!, other, isMember(a[step]!) && isMember(other))
    if (both !== undefined) children[step] = both
  }
  return rebuilt(own, children)
}

/** Every field of the set as people read it, such as `.spec.containers[name="web"].image`, in the order of the tree. */
export function paths(fields: Fields, path = ''): readonly string[] {
  return steps(fields).flatMap((step) => {
    const here = path + stepText(step)
    const child = fields[step]!
    return isEmpty(child) ? [here] : [...(isMember(child) ? [here] : []), ...paths(child, here)]
  })
}

function stepText(step: string): string {
  const rest = step.slice(2)
  if (step.startsWith('f:')) return `.${rest}`
  if (step.startsWith('v:')) return `[=${rest}]`
  if (step.startsWith('i:')) return `[${rest}]`
  return `[${Object.entries(JSON.parse(rest) as object).map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`
}

/** The set as text with its steps in order, so that equal sets have equal texts. */
export function textOf(fields: Fields): string {
  const sorted = Object.keys(fields).toSorted()
  return `{${sorted.map((step) => `${JSON.stringify(step)}:${textOf(fields[step]!)}`).join(',')}}`
}

/** How deep a set may be; the deepest type of the API has 20 levels or so. */
const maxDepth = 64

/** Reads what a client sent as FieldsV1. @returns undefined where it is none */
export function fieldsOf(value: unknown, depth = 0): Fields | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || depth > maxDepth) return undefined
  for (const [step, child] of Object.entries(value)) {
    if (!isStep(step) || fieldsOf(child, depth + 1) === undefined) return undefined
  }
  return value as Fields
}

function isStep(step: string): boolean {
  if (step === self || step.startsWith('f:')) return true
  if (step.startsWith('i:')) return /^\d+$/.test(step.slice(2))
  const key = step.startsWith('k:')
  if (!key && !step.startsWith('v:')) return false
  try {
    const value: unknown = JSON.parse(step.slice(2))
    return !key || (typeof value === 'object' && value !== null && !Array.isArray(value))
  } catch {
    return false
  }
}

/**
 * JSONPath as Kubernetes' definitions have it (`.status.conditions[?(@.type=="Ready")].status`): fields, indexes, ranges, `*`, lists
 * of names and filters that compare. Pure.
 */
import { isMap } from './schema.ts'

type Step =
  | { readonly kind: 'fields'; readonly names: readonly string[] }
  | { readonly kind: 'every' }
  | { readonly kind: 'slice'; readonly from: number | undefined; readonly to: number | undefined }
  | { readonly kind: 'index'; readonly at: number }
  | { readonly kind: 'filter'; readonly left: Operand; readonly sign: Sign; readonly right?: Operand }

type Operand = { readonly kind: 'path'; readonly steps: Path } | { readonly kind: 'value'; readonly value: string | number | boolean | null }
type Sign = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'exists'

export type Path = readonly Step[]

/** Reads a path that begins with a dot, or is a dot. @returns undefined for what is none */
export function parsePath(text: string): Path | undefined {
  if (text === '.' || text === '') return text === '.' ? [] : undefined
  const steps: Step[] = []
  let rest = text
  while (rest !== '') {
    const found = fieldStep(rest) ?? bracketStep(rest)
    if (!found) return undefined
    steps.push(found.step)
    rest = rest.slice(found.length)
  }
  return steps
}

interface Found {
  readonly step: Step
  readonly length: number
}

function fieldStep(text: string): Found | undefined {
  const at = /^\.((?:[^.[\]\s\\*?()'"]|\\.)+|\*)/.exec(text)
  if (!at) return undefined
  const step: Step = at[1] === '*' ? { kind: 'every' } : { kind: 'fields', names: [at[1]!.replaceAll(/\\(.)/g, '$1')] }
  return { step, length: at[0].length }
}

const quoted = String.raw`'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"`

function bracketStep(text: string): Found | undefined {
  const dot = text.startsWith('.[') ? 1 : 0
  const at = new RegExp(String.raw`^\[(?:\s*\?\(((?:${quoted}|[^'")])*)\)\s*|((?:${quoted}|[^'"\]])*))\]`).exec(text.slice(dot))
  if (!at) return undefined
  const step = at[1] === undefined ? bracketed(at[2]!.trim()) : filterOf(at[1].trim())
  return step && { step, length: at[0].length + dot }
}

function bracketed(inner: string): Step | undefined {
  if (inner === '*') return { kind: 'every' }
  if (/^-?\d+$/.test(inner)) return { kind: 'index', at: Number(inner) }
  const slice = /^(-?\d*):(-?\d*)$/.exec(inner)
  const bound = (word: string): number | undefined => (word === '' ? undefined : Number(word))
  if (slice) return { kind: 'slice', from: bound(slice[1]!), to: bound(slice[2]!) }
  const names = [...inner.matchAll(new RegExp(quoted, 'g'))].map(([word]) => unquoted(word))
  return names.length > 0 && inner.replaceAll(new RegExp(quoted, 'g'), '').replaceAll(/[\s,]/g, '') === '' ? { kind: 'fields', names } : undefined
}

const unquoted = (word: string): string => word.slice(1, -1).replaceAll(/\\(.)/g, '$1')

function filterOf(inner: string): Step | undefined {
  const [, left = '', sign, right = ''] = new RegExp(String.raw`^((?:${quoted}|[^=!<>'"])+?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+))?$`, 's').exec(inner) ?? []
  const first = operandOf(left.trim())
  if (!first || (sign === undefined && first.kind === 'value')) return undefined
  if (sign === undefined) return { kind: 'filter', left: first, sign: 'exists' }
  const second = operandOf(right.trim())
  return second && { kind: 'filter', left: first, sign: sign as Sign, right: second }
}

function operandOf(text: string): Operand | undefined {
  if (text === '@') return { kind: 'path', steps: [] }
  if (text.startsWith('@')) {
    const steps = parsePath(text.slice(1))
    return steps && { kind: 'path', steps }
  }
  if (new RegExp(`^(?:${quoted})$`).test(text)) return { kind: 'value', value: unquoted(text) }
  if (text === 'true' || text === 'false') return { kind: 'value', value: text === 'true' }
  if (text === 'null' || text === 'nil') return { kind: 'value', value: null }
  return /^-?\d+(?:\.\d+)?$/.test(text) ? { kind: 'value', value: Number(text) } : undefined
}

/** What a path leads to, in order; nothing where it leads nowhere. */
export function valuesAt(object: unknown, path: Path): readonly unknown[] {
  let values: readonly unknown[] = [object]
  for (const step of path) values = values.flatMap((value) => next(value, step))
  return values
}

function next(value: unknown, step: Step): readonly unknown[] {
  if (step.kind === 'fields') return isMap(value) ? step.names.filter((name) => Object.hasOwn(value, name)).map((name) => value[name]) : []
  const items: readonly unknown[] = Array.isArray(value) ? value : []
  switch (step.kind) {
    case 'every':
      return isMap(value) ? Object.values(value) : items
    case 'index':
      return step.at < -items.length || step.at >= items.length ? [] : [items.at(step.at)]
    case 'slice':
      return items.slice(step.from, step.to)
    case 'filter':
      return items.filter((item) => holds(item, step))
  }
}

function holds(item: unknown, { left, sign, right }: Extract<Step, { kind: 'filter' }>): boolean {
  const valueOf = (operand: Operand): unknown => (operand.kind === 'value' ? operand.value : valuesAt(item, operand.steps)[0])
  const a = valueOf(left)
  if (sign === 'exists' || right === undefined) return a !== undefined
  const b = valueOf(right)
  if (sign === '==') return a === b
  if (sign === '!=') return a !== b
  if (typeof a !== typeof b || (typeof a !== 'number' && typeof a !== 'string')) return false
  const [x, y] = [a, b as typeof a]
  switch (sign) {
    case '<':
      return x < y
    case '<=':
      return x <= y
    case '>':
      return x > y
    case '>=':
      return x >= y
  }
}

/** The names of a path of fields alone (`.spec.replicas`); undefined for any other. */
export function fieldsOfPath(text: string): readonly string[] | undefined {
  const path = parsePath(text)
  const names = path?.map((step) => (step.kind === 'fields' && step.names.length === 1 ? step.names[0]! : undefined))
  return names?.every((name) => name !== undefined) ? (names as readonly string[]) : undefined
}

/** The value at a path of fields. */
export function fieldAt(object: unknown, names: readonly string[]): unknown {
  return names.reduce<unknown>((value, name) => (isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined), object)
}

/** The object with another value at a path of fields; what is missing on the way is made. */
export function withFieldAt(object: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value
  const map = isMap(object) ? object : {}
  return { ...map, [name]: withFieldAt(map[name], rest, value) }
}

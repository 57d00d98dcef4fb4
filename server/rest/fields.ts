/** Reading the fields of small bodies that no compiled validator checks; what is wrong is noted with its field. */
import type { StatusCause } from '../../api/status.ts'
import { wrong } from '../admit/causes.ts'

type JsonMap = { readonly [field: string]: unknown }

/** Reads fields and notes what has the wrong type. */
export interface Fields {
  readonly causes: StatusCause[]
  map(field: string, value: unknown): JsonMap | undefined
  text(field: string, value: unknown): string
  texts(field: string, value: unknown): readonly string[]
}

export function createFields(): Fields {
  const causes: StatusCause[] = []
  const absent = (value: unknown): boolean => value === undefined || value === null
  return {
    causes,
    map(field, value) {
      if (absent(value)) return undefined
      if (typeof value === 'object' && !Array.isArray(value)) return value as JsonMap
      causes.push(wrong(field, value, 'must be an object'))
      return undefined
    },
    text(field, value) {
      if (absent(value)) return ''
      if (typeof value === 'string') return value
      causes.push(wrong(field, value, 'must be a string'))
      return ''
    },
    texts(field, value) {
      if (absent(value)) return []
      if (Array.isArray(value) && value.every((v) => typeof v === 'string')) return value as readonly string[]
      causes.push(wrong(field, value, 'must be a list of strings'))
      return []
    },
  }
}

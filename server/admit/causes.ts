/** What may be wrong with a field, in the words of Kubernetes' field errors. */
import type { StatusCause } from '../../api/status.ts'

/** Validators yield what they find; nothing yielded means that all is well. */
export type Causes = Generator<StatusCause, void, undefined>

/** A value as it is quoted in a message: JSON, cut where it is long. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null'
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}

/** What the types of JSON schemas are called in messages. */
export const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
}

const joined = (head: string, message: string): string => (message === '' ? head : `${head}: ${message}`)

export const required = (field: string, message = ''): StatusCause => ({
  reason: 'FieldValueRequired',
  field,
  message: joined('Required value', message),
})

export const wrong = (field: string, value: unknown, message: string): StatusCause => ({
  reason: 'FieldValueInvalid',
  field,
  message: `Invalid value: ${shown(value)}: ${message}`,
})

export const unsupported = (field: string, value: unknown, allowed: readonly string[]): StatusCause => ({
  reason: 'FieldValueNotSupported',
  field,
  message: `Unsupported value: ${shown(value)}: supported values: ${allowed.map((a) => JSON.stringify(a)).join(', ')}`,
})

export const duplicate = (field: string, value: unknown): StatusCause => ({
  reason: 'FieldValueDuplicate',
  field,
  message: `Duplicate value: ${shown(value)}`,
})

export const forbidden = (field: string, message: string): StatusCause => ({
  reason: 'FieldValueForbidden',
  field,
  message: `Forbidden: ${message}`,
})

export const missing = (field: string, value: unknown): StatusCause => ({
  reason: 'FieldValueNotFound',
  field,
  message: `Not found: ${shown(value)}`,
})

export const tooLong = (field: string, message: string): StatusCause => ({
  reason: 'FieldValueTooLong',
  field,
  message: `Too long: ${message}`,
})

/** The field is not what it was. */
export const immutable = (field: string, value: unknown): StatusCause => wrong(field, value, 'field is immutable')

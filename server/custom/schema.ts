/**
 * The schemas of custom kinds (apiextensions.k8s.io/v1 JSONSchemaProps), as they stand in their definitions: structural, so that
 * every field has one place and one type. All walks of this room read them as they are; nothing is compiled.
 */

export type JsonMap = { readonly [field: string]: unknown }

export interface Schema {
  readonly type?: string
  readonly format?: string
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly nullable?: boolean
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly required?: readonly string[]
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: boolean
  readonly exclusiveMaximum?: boolean
  readonly multipleOf?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly allOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly not?: Schema
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly 'x-kubernetes-embedded-resource'?: boolean
  readonly 'x-kubernetes-list-type'?: string
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-map-type'?: string
  readonly 'x-kubernetes-validations'?: readonly unknown[]
}

export function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const preserves = (schema: Schema): boolean => schema['x-kubernetes-preserve-unknown-fields'] === true
export const isEmbedded = (schema: Schema): boolean => schema['x-kubernetes-embedded-resource'] === true
export const isIntOrString = (schema: Schema): boolean => schema['x-kubernetes-int-or-string'] === true

/** The schema of a field, by its own property or as one of free keys; `true` where anything may stand there; undefined for none. */
export function schemaOf({ properties, additionalProperties }: Schema, key: string): Schema | true | undefined {
  if (properties && Object.hasOwn(properties, key)) return properties[key]
  if (additionalProperties === undefined || additionalProperties === false) return undefined
  return additionalProperties
}

/** Whether the key is one of many (`labels[app]`) and no field of its own (`spec.app`). */
const isFree = ({ properties, additionalProperties }: Schema, key: string): boolean =>
  additionalProperties !== undefined && !(properties && Object.hasOwn(properties, key))

/** `path.key`, or `path[key]` where the keys are free. */
export function fieldAt(path: string, key: string, schema: Schema): string {
  if (isFree(schema, key)) return `${path}[${key}]`
  return path === '' ? key : `${path}.${key}`
}

/** What every object has beside its schema: at the root, and in embedded objects. */
export const ownWords: readonly string[] = ['apiVersion', 'kind', 'metadata']

/** The definitions of kinds that somebody defined, as the OpenAPI documents carry them: their schemas, with what all objects have. */
import type { ResourceKind } from '../../../api/resources.ts'
import { customOf } from '../../custom/kind.ts'
import { isEmbedded, isIntOrString, preserves, type Schema as CustomSchema } from '../../custom/schema.ts'
import type { Schema } from './models.ts'

/** What every definition refers to. */
export const metadataModule = '@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta'
const metadataName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

/** `com.example.stable.v1.CronTab`: the group the other way round. */
export function customNameOf({ group, version, kind }: ResourceKind): string {
  return `${group.split('.').toReversed().join('.')}.${version}.${kind}`
}

/** The documents differ in what they can say: version 2 has neither choices nor nulls. */
export type Edition = 2 | 3

/** The definition of a kind that somebody defined. */
export function customDefinition(of: ResourceKind, edition: Edition): Schema {
  const { group, version, kind } = of
  const own = published(customOf(of)?.schema ?? { type: 'object' }, edition)
  const properties = { ...own.properties, ...words }
  return { ...own, type: 'object', properties, 'x-kubernetes-group-version-kind': [{ group, version, kind }] }
}

const words: Readonly<Record<string, Schema>> = {
  apiVersion: { type: 'string', description: 'The group and version in which the object is written.' },
  kind: { type: 'string', description: 'The kind of the object.' },
  metadata: { $ref: metadataName, description: 'What all objects have.' },
}

function published(schema: CustomSchema, edition: Edition): Schema {
  const { properties, additionalProperties, items, type, nullable, allOf, anyOf, oneOf, not, default: filled, ...rest } = schema
  const extensions = Object.fromEntries(Object.entries(rest).filter(([word]) => word.startsWith('x-')))
  // What may be anything, or nothing, a client that reads version 2 would refuse in its other forms.
  if (edition === 2 && nullable) return described(schema, extensions)
  if (edition === 2 && preserves(schema) && !isEmbedded(schema)) return { ...described(schema, extensions), ...(type && { type: type as 'object' }) }
  const inner = fieldsOf({ ...(properties && { properties }), ...(additionalProperties !== undefined && { additionalProperties }), ...(items && { items }) }, edition)
  const embedded = isEmbedded(schema) ? { properties: { ...inner.properties, ...words } } : {}
  if (edition === 2) {
    const { description, format, required, enum: values, ...plain } = rest
    const kept = Object.fromEntries(Object.entries(plain).filter(([word]) => word.startsWith('x-')))
    const words2 = { ...(description && { description }), ...(format && { format }), ...(required && { required }), ...(values && type === 'string' && { enum: values }) }
    return { ...words2, ...kept, ...(type && { type }), ...inner, ...embedded } as Schema
  }
  const mixed = isIntOrString(schema) ? [{ type: 'integer' }, { type: 'string' }] : undefined
  const either = anyOf ?? mixed
  const choices = { ...(allOf && { allOf }), ...(oneOf && { oneOf }), ...(not && { not }), ...(either && { anyOf: either }) }
  return { ...rest, ...(type && { type }), ...(nullable && { nullable }), ...(filled !== undefined && { default: filled }), ...choices, ...inner, ...embedded } as Schema
}

function described({ description }: CustomSchema, extensions: Schema): Schema {
  return { ...(description && { description }), ...extensions }
}

function fieldsOf({ properties, additionalProperties, items }: CustomSchema, edition: Edition): Schema {
  return {
    ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(([key, of]) => [key, published(of, edition)])) }),
    ...(additionalProperties !== undefined && additionalProperties !== false && { additionalProperties: additionalProperties === true ? {} : published(additionalProperties, edition) }),
    ...(items && { items: published(items, edition) }),
  }
}

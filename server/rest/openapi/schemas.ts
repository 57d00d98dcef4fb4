/** The definitions that the OpenAPI documents carry: those of the served kinds, marked with what patches need to know. */
import { apiVersionOf } from '../../../api/resources.ts'
import type { ResourceKind } from '../../../api/resources.ts'
import { atomicMaps, atomicTypes, divisions } from '../../managed/shape.ts'
import { shapeOf } from '../patch/keys.ts'
import type { Rule, Shape } from '../patch/keys.ts'
import { customOf } from '../../custom/kind.ts'
import { customDefinition, customNameOf, metadataModule, type Edition } from './custom.ts'
import { definitionOf, loadDefinitions } from './models.ts'
import type { Definitions, Schema } from './models.ts'

const moduleOf = (k: ResourceKind): string => `kubernetes-models/${apiVersionOf(k)}/${k.kind}`

/** The name of a kind's definition. */
export const definitionNameOf = (k: ResourceKind): string => (customOf(k) ? customNameOf(k) : definitionOf(moduleOf(k)))

/** All definitions that some built-in kinds need, with `x-kubernetes-group-version-kind`, patch strategies and merge keys. */
export function schemasOf(kinds: readonly ResourceKind[]): Definitions {
  const schemas = new Map(loadDefinitions(kinds.map(moduleOf)))
  for (const k of kinds) {
    const name = definitionNameOf(k)
    mark(schemas, name, shapeOf(k.resource))
    const { group, version, kind } = k
    schemas.set(name, { ...schemas.get(name)!, 'x-kubernetes-group-version-kind': [{ group, version, kind }] })
  }
  return new Map([...schemas].map(([name, schema]) => [name, divided(name, schema)]))
}

/** The definitions that some kinds need that somebody defined. */
export function customSchemasOf(kinds: readonly ResourceKind[], edition: Edition): Definitions {
  if (kinds.length === 0) return new Map()
  const common = [...loadDefinitions([metadataModule])].map(([name, schema]) => [name, divided(name, schema)] as const)
  return new Map([...common, ...kinds.map((k) => [customNameOf(k), customDefinition(k, edition)] as const)])
}

/** Types whose values are any JSON, or of several types. */
const freeForms = /\.apiextensions\.v1\.(JSON|JSONSchemaPropsOr\w+)$/
const described = ({ description }: Schema): Schema => (description ? { description } : {})

const machinery = 'io.k8s.apimachinery.pkg.'
/** Texts with a format that the declarations do not tell. */
const times: ReadonlySet<string> = new Set([`${machinery}apis.meta.v1.Time`, `${machinery}apis.meta.v1.MicroTime`])

/** A type with the words by which appliers know what is one field, and what is divided (KEP-555). */
function divided(name: string, schema: Schema): Schema {
  const type = name.slice(name.lastIndexOf('.') + 1)
  if (freeForms.test(name)) return described(schema)
  const format: Schema = times.has(name) ? { format: 'date-time' } : {}
  const whole: Schema = atomicTypes.has(type) ? { 'x-kubernetes-map-type': 'atomic' } : {}
  if (!schema.properties) return { ...schema, ...format, ...whole }
  const properties = Object.entries(schema.properties).map(([field, property]) => [field, { ...property, ...division(`${type}.${field}`, property) }])
  return { ...schema, ...whole, properties: Object.fromEntries(properties) as Record<string, Schema> }
}

function division(place: string, { type, additionalProperties }: Schema): Schema {
  if (additionalProperties && atomicMaps.has(place)) return { 'x-kubernetes-map-type': 'atomic' }
  if (type !== 'array') return {}
  const keys = divisions[place]
  if (keys === undefined) return { 'x-kubernetes-list-type': 'atomic' }
  return keys === 'set' ? { 'x-kubernetes-list-type': 'set' } : { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys }
}

/** Writes the merge rules of a shape into a definition and into those behind it. */
function mark(schemas: Map<string, Schema>, name: string, shape: Shape): void {
  const schema = schemas.get(name)
  if (!schema?.properties) return
  const properties: Record<string, Schema> = { ...schema.properties }
  for (const [field, rule] of Object.entries(shape)) {
    const property = properties[field]
    if (!property) continue
    properties[field] = { ...property, ...extensions(rule) }
    const inner = property.$ref ?? property.items?.$ref
    if (inner && rule.kind !== 'set') mark(schemas, inner, rule.kind === 'list' ? rule.item : rule.of)
  }
  schemas.set(name, { ...schema, properties })
}

function extensions(rule: Rule): Schema {
  switch (rule.kind) {
    case 'list':
      return { 'x-kubernetes-patch-merge-key': rule.key, 'x-kubernetes-patch-strategy': rule.retain ? 'merge,retainKeys' : 'merge' }
    case 'set':
      return { 'x-kubernetes-patch-strategy': 'merge' }
    case 'map':
      return rule.retain ? { 'x-kubernetes-patch-strategy': 'retainKeys' } : {}
  }
}

/** How a document writes a reference to a definition; what else the place says of itself is given too. */
export type Refer = (name: string, rest: Schema) => Schema

/** The same schema with the references that a document needs. */
export function withRefs(schema: Schema, refer: Refer): Schema {
  const { $ref, items, additionalProperties, properties, ...rest } = schema
  const whole: Schema = {
    ...rest,
    ...(items && { items: withRefs(items, refer) }),
    ...(additionalProperties && { additionalProperties: withRefs(additionalProperties, refer) }),
    ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, withRefs(v, refer)])) }),
  }
  return $ref === undefined ? whole : refer($ref, whole)
}

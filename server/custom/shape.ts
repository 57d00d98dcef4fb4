/** How an object of a custom kind divides into fields that can have different managers (KEP-555): read off its schema. */
import { leaf, shapeOf, type Shape } from '../managed/shape.ts'
import { isEmbedded, preserves, type Schema } from './schema.ts'

/** Of what nobody described each object is a map, and each list one field. */
const deduced: Shape = (() => {
  const self: { kind: 'map'; of: Shape } = { kind: 'map', of: leaf }
  self.of = self
  return self
})()

const ofMeta = (): Shape => {
  const whole = shapeOf('ConfigMap')
  return (whole.kind === 'struct' && whole.fields.get('metadata')) || leaf
}

/** The shape of a whole object. */
export function customShape(schema: Schema): Shape {
  const shape = shapeFor(schema)
  const fields = new Map(shape.kind === 'struct' ? shape.fields : [])
  for (const word of ['apiVersion', 'kind']) fields.set(word, leaf)
  fields.set('metadata', ofMeta())
  return { kind: 'struct', fields, ...(preserves(schema) && { rest: deduced }) }
}

function shapeFor(schema: Schema): Shape {
  const { properties, additionalProperties, items } = schema
  if (schema['x-kubernetes-map-type'] === 'atomic') return leaf
  if (schema.type === 'array' || items) return listShape(schema)
  if (typeof additionalProperties === 'object') return { kind: 'map', of: shapeFor(additionalProperties) }
  if (additionalProperties === true) return deduced
  if (properties || isEmbedded(schema)) {
    const fields = new Map(Object.entries(properties ?? {}).map(([key, of]) => [key, shapeFor(of)]))
    if (isEmbedded(schema)) fields.set('metadata', ofMeta())
    return { kind: 'struct', fields, ...(preserves(schema) && { rest: deduced }) }
  }
  return preserves(schema) ? deduced : leaf
}

function listShape(schema: Schema): Shape {
  const { items = {} } = schema
  const kind = schema['x-kubernetes-list-type']
  if (kind === 'set') return { kind: 'set' }
  if (kind !== 'map') return leaf
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const known = keys.filter((key) => items.properties?.[key]?.default !== undefined)
  const defaults = Object.fromEntries(known.map((key) => [key, items.properties![key]!.default]))
  return { kind: 'table', keys, defaults, item: shapeFor(items) }
}

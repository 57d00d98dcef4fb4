/** What a configuration for server-side apply must be before it is merged: every field known, every item of a table named. */
import { badRequest } from '../../api/status.ts'
import { apiVersionOf } from '../../api/resources.ts'
import type { ResourceKind } from '../../api/resources.ts'
import { pruned, unknownFields } from '../custom/fields.ts'
import { divisionOf } from '../custom/fields.ts'
import { leaf } from './shape.ts'
import type { JsonMap, Shape } from './shape.ts'
import { isMap, keyStep, valueStep } from './walk.ts'

/** More are not told of at once. */
const maxFaults = 20

/**
 * The configuration without nulls.
 * @throws StatusError BadRequest: managers in it, unknown fields, items that cannot be told apart
 */
export function checkedConfig(of: ResourceKind, name: string, config: JsonMap): JsonMap {
  const metadata = isMap(config['metadata']) ? config['metadata'] : {}
  if (metadata['managedFields'] !== undefined && metadata['managedFields'] !== null) throw badRequest('metadata.managedFields must be nil')
  const unknown = unknownFields(of, config).map((path) => `.${path}: field not declared in schema`)
  const known = pruned(of, config)
  const faults = [...unknown, ...faultsIn(known, divisionOf(of), '')].slice(0, maxFaults)
  if (faults.length === 0) return known
  const text = faults.length === 1 ? faults[0] : `errors:\n${faults.map((fault) => `  ${fault}`).join('\n')}`
  throw badRequest(`failed to create typed patch object (${name}; ${apiVersionOf(of)}, Kind=${of.kind}): ${text}`)
}

function faultsIn(value: unknown, shape: Shape, path: string): readonly string[] {
  if (shape.kind === 'table' || shape.kind === 'set') {
    return Array.isArray(value) ? listFaults(value, shape, path) : []
  }
  if (shape.kind === 'leaf' || !isMap(value)) return []
  return Object.entries(value).flatMap(([field, part]) => {
    const of = shape.kind === 'map' ? shape.of : (shape.fields.get(field) ?? shape.rest ?? leaf)
    return faultsIn(part, of, `${path}.${field}`)
  })
}

function listFaults(list: readonly unknown[], shape: Extract<Shape, { kind: 'set' | 'table' }>, path: string): readonly string[] {
  const seen = new Set<string>()
  return list.flatMap((item: unknown, at) => {
    const step = shape.kind === 'set' ? valueStep(item) : keyStep(item, shape)
    if (step === undefined) {
      const keys = shape.kind === 'table' ? shape.keys.join(', ') : ''
      return [`${path}: element ${at}: an item of this list needs what it is known by: ${keys}`]
    }
    const again = seen.has(step) ? [`${path}: duplicate entries for key ${step.slice(2)}`] : []
    seen.add(step)
    return [...again, ...(shape.kind === 'table' ? faultsIn(item, shape.item, `${path}[${at}]`) : [])]
  })
}

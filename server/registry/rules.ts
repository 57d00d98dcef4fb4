/** What is filled in and checked of an object, whether its kind is built in or somebody defined it. */
import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../api/objects.ts'
import type { ResourceKind } from '../../api/resources.ts'
import type { StatusCause } from '../../api/status.ts'
import { withDefaults } from '../admit/defaults/defaults.ts'
import { validate } from '../admit/validate/validate.ts'
import { withDefaults as schemaDefaults } from '../custom/defaults.ts'
import { customOf } from '../custom/kind.ts'
import { valueCauses } from '../custom/values.ts'
import { firstGeneration, raised, withGeneration } from './generation.ts'

/** More are not told of at once. */
const maxCauses = 100

/** The object with the defaults of its kind. */
export function defaulted(of: ResourceKind, object: KubeObject): KubeObject {
  const custom = customOf(of)
  if (!custom) return withDefaults(of.resource, object)
  const { metadata, ...rest } = object
  return { ...schemaDefaults(rest, custom.schema), metadata } as KubeObject
}

/** Everything that is wrong with an object that has its defaults. */
export function faultsOf(of: ResourceKind, object: KubeObject): readonly StatusCause[] {
  const causes = [...validate(of.resource, object)]
  const custom = customOf(of)
  if (!custom) return causes
  const { apiVersion: _a, kind: _k, ...body } = object
  for (const cause of valueCauses(body, withoutWords(custom.schema), { path: '', patterns: custom.patterns })) {
    if (causes.push(cause) >= maxCauses) break
  }
  return causes
}

/** As `faultsOf`, for a change: what the schema of a custom kind would not take any more may stay where it is not touched. */
export function newFaults(of: ResourceKind, { before, after }: { readonly before: KubeObject; readonly after: KubeObject }): readonly StatusCause[] {
  const causes = faultsOf(of, after)
  if (causes.length === 0 || !customOf(of)) return causes
  const old = new Set(faultsOf(of, before).map((cause) => `${cause.field} ${cause.message}`))
  return causes.filter((cause) => !old.has(`${cause.field} ${cause.message}`))
}

/** What every object has is checked for all kinds alike, but that a schema may say more of names. */
function withoutWords<T extends { readonly required?: readonly string[] }>(schema: T): T {
  const required = schema.required?.filter((word) => word !== 'apiVersion' && word !== 'kind')
  return required === undefined || required.length === schema.required!.length ? schema : { ...schema, required }
}

/** The number of a new object's wish; undefined for kinds that are not counted. */
export function generationAtBirth(of: ResourceKind): number | undefined {
  return customOf(of) ? 1 : firstGeneration(of.resource)
}

/** `after` with the number that it should have. Of a kind that somebody defined everything counts but metadata, and a status that has a subresource. */
export function counted(of: ResourceKind, before: KubeObject, after: KubeObject): KubeObject {
  if (!customOf(of)) return withGeneration(of.resource, before, after)
  const wishOf = ({ metadata: _m, apiVersion: _a, status, ...rest }: KubeObject): unknown => (of.subresources.includes('status') ? rest : { ...rest, status })
  return isDeepStrictEqual(wishOf(before), wishOf(after)) ? after : raised(after)
}

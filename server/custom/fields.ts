/** The fields of a kind, whether it is built in or somebody defined it: which it knows, and how they divide among managers. */
import type { ResourceKind } from '../../api/resources.ts'
import { pruned as prunedType, unknownFields as unknownInType } from '../admit/fields.ts'
import { shapeOf, type Shape } from '../managed/shape.ts'
import { customOf } from './kind.ts'
import { pruned as prunedBySchema, unknownFields as unknownBySchema } from './prune.ts'
import { isMap, type JsonMap } from './schema.ts'

/** Paths of the fields that a kind does not have, such as `spec.colour`; at most 50. */
export function unknownFields(of: ResourceKind, object: unknown): string[] {
  const custom = customOf(of)
  if (!custom) return unknownInType(of, object)
  return isMap(object) ? unknownBySchema(custom.schema, object) : []
}

/** The object with only what its kind knows, and without `metadata.managedFields`. */
export function pruned(of: ResourceKind, object: JsonMap): JsonMap {
  const custom = customOf(of)
  return custom ? prunedBySchema(custom.schema, object) : prunedType(of, object)
}

/** How an object of a kind divides into fields with managers of their own. */
export function divisionOf(of: ResourceKind): Shape {
  return customOf(of)?.shape ?? shapeOf(of.kind)
}

/** A kind that a CustomResourceDefinition brings, in one of its versions: its row, and what its objects are checked and shown by. */
import type { CustomResourceDefinition, KubeObject } from '../../api/objects.ts'
import { apiVersionOf, customResource, type ResourceKind, type Subresource } from '../../api/resources.ts'
import type { Shape } from '../managed/shape.ts'
import { withDefaults } from './defaults.ts'
import { fieldsOfPath, parsePath, type Path } from './path.ts'
import type { Patterns } from './pattern.ts'
import { pruned } from './prune.ts'
import type { JsonMap, Schema } from './schema.ts'
import { customShape } from './shape.ts'

type Spec = CustomResourceDefinition['spec']
type Version = Spec['versions'][number]
type Names = Spec['names']

/** A column that the definition adds to the table of its objects. */
export interface CustomColumn {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly description: string
  readonly priority: number
  readonly path: Path
}

/** Where the numbers of the subresource `scale` stand, each as names of fields. */
export interface ScalePaths {
  readonly wished: readonly string[]
  readonly present: readonly string[]
  readonly selector?: readonly string[]
}

export interface Custom {
  readonly schema: Schema
  readonly patterns: Patterns
  readonly shape: Shape
  readonly listKind: string
  /** The apiVersion in which objects lie in the store. */
  readonly storedAs: string
  /** Undefined where the definition has none of its own. */
  readonly columns: readonly CustomColumn[] | undefined
  readonly scale?: ScalePaths
  /** Fields beside those of metadata by which objects can be selected, such as `spec.color`. */
  readonly selectable: readonly string[]
  /** What to tell whoever uses a version that is on its way out. */
  readonly warning?: string
  /** A stored object as one of this version: its apiVersion, without what its schema does not know, with its defaults. */
  read(object: KubeObject): KubeObject
}

export type CustomKind = ResourceKind & { readonly custom: Custom }

/** What a kind has of its own where somebody defined it; undefined for those that are built in. */
export function customOf(of: object): Custom | undefined {
  return (of as Partial<CustomKind>).custom
}

/** A stored object as one of a kind's version; of built-in kinds it is the object itself. */
export function readAs(of: ResourceKind, object: KubeObject): KubeObject {
  return customOf(of)?.read(object) ?? object
}

/** An object as it is stored. Conversion is None: nothing but the apiVersion differs. */
export function storedAs(of: ResourceKind, object: KubeObject): KubeObject {
  const apiVersion = customOf(of)?.storedAs ?? object.apiVersion
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion }
}

interface Parts {
  readonly spec: Spec
  /** Those that were accepted. */
  readonly names: Names
  readonly patterns: Patterns
}

/** The kind in one of its versions. */
export function customKind({ spec, names, patterns }: Parts, version: Version): CustomKind {
  const { group } = spec
  const { plural, kind, singular, shortNames, categories, listKind } = names
  const { subresources = {} } = version
  const subs: Subresource[] = [...(subresources.status ? ['status' as const] : []), ...(subresources.scale ? ['scale' as const] : [])]
  const row: ResourceKind = {
    resource: customResource(plural, group),
    group,
    version: version.name,
    plural,
    singular: singular || kind.toLowerCase(),
    kind,
    namespaced: spec.scope === 'Namespaced',
    shortNames: shortNames ?? [],
    categories: categories ?? [],
    subresources: subs,
  }
  const schema = (version.schema?.openAPIV3Schema ?? {}) as Schema
  const apiVersion = apiVersionOf(row)
  const storage = spec.versions.find((v) => v.storage) ?? version
  const scale = scaleOf(version)
  let shape: Shape | undefined
  const custom: Custom = {
    schema,
    patterns,
    get shape() {
      return (shape ??= customShape(schema))
    },
    listKind: listKind || `${kind}List`,
    storedAs: apiVersionOf({ group, version: storage.name }),
    columns: version.additionalPrinterColumns?.map(columnOf),
    ...(scale && { scale }),
    selectable: (version.selectableFields ?? []).map((f) => f.jsonPath.slice(1)),
    ...(version.deprecated && { warning: version.deprecationWarning || `${apiVersion} ${kind} is deprecated` }),
    read: reader(schema, apiVersion),
  }
  return { ...row, custom }
}

function columnOf(column: NonNullable<Version['additionalPrinterColumns']>[number]): CustomColumn {
  const { name, type, format = '', description = '', priority = 0, jsonPath } = column
  return { name, type, format, description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`, priority, path: parsePath(jsonPath) ?? [] }
}

function scaleOf({ subresources }: Version): ScalePaths | undefined {
  const { scale } = subresources ?? {}
  if (!scale) return undefined
  const selector = scale.labelSelectorPath ? fieldsOfPath(scale.labelSelectorPath) : undefined
  return { wished: fieldsOfPath(scale.specReplicasPath) ?? [], present: fieldsOfPath(scale.statusReplicasPath) ?? [], ...(selector && { selector }) }
}

/** What is read of an object is kept as long as the object is. */
function reader(schema: Schema, apiVersion: string): Custom['read'] {
  const known = new WeakMap<KubeObject, KubeObject>()
  return (object) => {
    const before = known.get(object)
    if (before) return before
    const { metadata, ...rest } = object
    const body = withDefaults(pruned(schema, rest as JsonMap), schema)
    const same = body === rest && object.apiVersion === apiVersion
    const read = same ? object : ({ ...body, apiVersion, kind: object.kind, metadata } as KubeObject)
    known.set(object, read)
    // Who reads twice reads the same.
    if (read !== object) known.set(read, read)
    return read
  }
}

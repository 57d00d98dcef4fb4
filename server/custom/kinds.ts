/** Every kind that the hub serves just now: those that are built in, and those of the definitions in the store. */
import type { CustomResourceDefinition } from '../../api/objects.ts'
import { apiVersionOf, kindByType, kindOf, isBuiltIn, resourceKinds, servedKinds, type Resource, type ResourceKind } from '../../api/resources.ts'
import type { Store } from '../store/store.ts'
import { customKind, type CustomKind } from './kind.ts'
import { createPatterns } from './pattern.ts'
import { byPriority } from './versions.ts'

export const definitions = 'customresourcedefinitions.apiextensions.k8s.io'

export interface Kinds {
  /** Each kind once, in the version in which it is stored. */
  stored(): readonly ResourceKind[]
  /** Every kind in every version, in the order in which discovery lists them. The same list until a definition changes. */
  served(): readonly ResourceKind[]
  /** Those of one group. */
  inGroup(group: string): readonly ResourceKind[]
  /** A kind in the version in which it is stored; undefined where nobody serves it. */
  get(resource: Resource): ResourceKind | undefined
  /** A kind in the version of a draft. Of built-in kinds there is one. */
  at(resource: Resource, apiVersion: unknown): ResourceKind | undefined
  /** By an object's own words. */
  byType(apiVersion: string, kind: string): ResourceKind | undefined
}

interface Held {
  readonly spec: CustomResourceDefinition['spec']
  readonly names: CustomResourceDefinition['spec']['names']
  readonly served: readonly CustomKind[]
  readonly stored: CustomKind
}

interface View {
  readonly list: readonly unknown[]
  readonly stored: readonly ResourceKind[]
  readonly served: readonly ResourceKind[]
  readonly groups: ReadonlyMap<string, readonly ResourceKind[]>
  readonly byResource: ReadonlyMap<string, Held>
  readonly byType: ReadonlyMap<string, ResourceKind>
}

const builtInGroups = Map.groupBy(servedKinds, (k) => k.group)

/** Reads the store at each question; what was made of the definitions lives as long as the store's own list does. */
export function createKinds(store: Pick<Store, 'list'>): Kinds {
  const patterns = createPatterns()
  let held: ReadonlyMap<string, Held> = new Map()
  let view: View | undefined
  const heldOf = (crd: CustomResourceDefinition): Held | undefined => {
    const names = crd.status?.acceptedNames
    if (!isEstablished(crd) || !names?.plural) return undefined
    const before = held.get(crd.metadata.name)
    // The store shares what did not change: a new status alone makes no new kind.
    if (before && before.spec === crd.spec && before.names === names) return before
    const { spec } = crd
    const kinds = new Map(spec.versions.map((version) => [version, customKind({ spec, names, patterns }, version)]))
    const storage = spec.versions.find((v) => v.storage) ?? spec.versions[0]!
    return { spec, names, served: spec.versions.filter((v) => v.served).map((v) => kinds.get(v)!), stored: kinds.get(storage)! }
  }
  const now = (): View => {
    const list = store.list(definitions)
    if (view?.list === list) return view
    const next = new Map<string, Held>()
    for (const crd of list as readonly object[] as readonly CustomResourceDefinition[]) {
      const one = heldOf(crd)
      if (one) next.set(crd.metadata.name, one)
    }
    const unchanged = view && next.size === held.size && [...next].every(([name, one]) => held.get(name) === one)
    held = next
    return (view = unchanged ? { ...view!, list } : viewOf(list, next))
  }
  return {
    stored: () => now().stored,
    served: () => now().served,
    inGroup: (group) => now().groups.get(group) ?? [],
    get: (resource) => (isBuiltIn(resource) ? kindOf(resource) : now().byResource.get(resource)?.stored),
    at(resource, apiVersion) {
      if (isBuiltIn(resource)) return kindOf(resource)
      const one = now().byResource.get(resource)
      return one?.served.find((k) => apiVersionOf(k) === apiVersion) ?? one?.stored
    },
    byType: (apiVersion, kind) => kindByType(apiVersion, kind) ?? now().byType.get(`${apiVersion} ${kind}`),
  }
}

function viewOf(list: readonly unknown[], held: ReadonlyMap<string, Held>): View {
  const custom = [...held.values()].flatMap((one) => one.served).toSorted((a, b) => byGroup(a, b) || byPriority(a.version, b.version))
  const served = [...servedKinds, ...custom]
  return {
    list,
    stored: [...resourceKinds, ...[...held.values()].map((one) => one.stored)],
    served,
    groups: custom.length === 0 ? builtInGroups : Map.groupBy(served, (k) => k.group),
    byResource: held,
    byType: new Map(custom.map((k) => [`${apiVersionOf(k)} ${k.kind}`, k])),
  }
}

const byGroup = (a: ResourceKind, b: ResourceKind): number => (a.group === b.group ? 0 : a.group < b.group ? -1 : 1)

/** Whether its objects are served (the condition Established). */
export function isEstablished({ status }: Pick<CustomResourceDefinition, 'status'>): boolean {
  return status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True') ?? false
}

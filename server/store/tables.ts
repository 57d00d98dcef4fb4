/** The current objects in memory: one table for each resource, ordered by namespace and name. */
import type { KubeObject } from '../../api/objects.ts'
import type { Resource } from '../../api/resources.ts'
import type { Ref } from './store.ts'

export interface Tables {
  get(ref: Ref): KubeObject | undefined
  list(resource: Resource, namespace?: string): readonly KubeObject[]
  /** Puts an object in its place; undefined takes it away. */
  set(ref: Ref, object: KubeObject | undefined): void
}

/** Where in `rows` an object of this name stands, or would stand. */
function position(rows: readonly KubeObject[], namespace: string, name: string): number {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const { namespace: ns = '', name: n } = rows[middle]!.metadata
    if (ns < namespace || (ns === namespace && n < name)) low = middle + 1
    else high = middle
  }
  return low
}

interface Table {
  readonly byKey: Map<string, KubeObject>
  readonly rows: KubeObject[]
  /** Lists given out since the last change, by namespace, '*' for all. They are never changed afterwards. */
  readonly views: Map<string, readonly KubeObject[]>
}

/** `/` is in neither a namespace nor a name. */
const keyOf = (ref: Ref): string => `${ref.namespace}/${ref.name}`

export function createTables(): Tables {
  const tables = new Map<Resource, Table>()
  const tableOf = (resource: Resource): Table => {
    let table = tables.get(resource)
    if (!table) tables.set(resource, (table = { byKey: new Map(), rows: [], views: new Map() }))
    return table
  }
  const cut = (rows: readonly KubeObject[], namespace?: string): readonly KubeObject[] => {
    if (namespace === undefined) return rows.slice()
    // No name sorts before '', and no namespace between this one and the same with a NUL behind it.
    return rows.slice(position(rows, namespace, ''), position(rows, `${namespace}\0`, ''))
  }
  return {
    get: (ref) => tables.get(ref.resource)?.byKey.get(keyOf(ref)),
    list(resource, namespace) {
      const { rows, views } = tableOf(resource)
      const view = views.get(namespace ?? '*') ?? Object.freeze(cut(rows, namespace))
      views.set(namespace ?? '*', view)
      return view
    },
    set(ref, object) {
      const { byKey, rows, views } = tableOf(ref.resource)
      const at = position(rows, ref.namespace, ref.name)
      const there = byKey.has(keyOf(ref))
      if (object) {
        byKey.set(keyOf(ref), object)
        rows.splice(at, there ? 1 : 0, object)
      } else if (there) {
        byKey.delete(keyOf(ref))
        rows.splice(at, 1)
      }
      views.clear()
    },
  }
}

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

function isBefore({ metadata: a }: KubeObject, { metadata: b }: KubeObject): boolean {
  const [left, right] = [a.namespace ?? '', b.namespace ?? '']
  return left === right ? a.name < b.name : left < right
}

interface Table {
  readonly byKey: Map<string, KubeObject>
  /** In their order, as of the last list, but for what was replaced since. */
  rows: KubeObject[]
  /** What is new since then, and in no order yet: to find its place among a hundred thousand costs more than to write it to disk. */
  readonly fresh: Map<string, KubeObject>
  /** Lists given out since the last change, by namespace, '*' for all. They are never changed afterwards. */
  readonly views: Map<string, readonly KubeObject[]>
}

/** So few are put in their places one by one. */
const few = 32

/** Puts what is new in its place. */
function order(table: Table): void {
  const { fresh } = table
  if (fresh.size === 0) return
  if (fresh.size <= few) {
    for (const object of fresh.values()) table.rows.splice(position(table.rows, object.metadata.namespace ?? '', object.metadata.name), 0, object)
  } else table.rows = merged(table.rows, [...fresh.values()].sort((a, b) => (isBefore(a, b) ? -1 : 1)))
  fresh.clear()
}

function merged(left: readonly KubeObject[], right: readonly KubeObject[]): KubeObject[] {
  const all: KubeObject[] = []
  let [i, j] = [0, 0]
  while (i < left.length && j < right.length) all.push(isBefore(right[j]!, left[i]!) ? right[j++]! : left[i++]!)
  while (i < left.length) all.push(left[i++]!)
  while (j < right.length) all.push(right[j++]!)
  return all
}

/** `/` is in neither a namespace nor a name. */
const keyOf = (ref: Ref): string => `${ref.namespace}/${ref.name}`

export function createTables(): Tables {
  const tables = new Map<Resource, Table>()
  const tableOf = (resource: Resource): Table => {
    let table = tables.get(resource)
    if (!table) tables.set(resource, (table = { byKey: new Map(), rows: [], fresh: new Map(), views: new Map() }))
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
      const table = tableOf(resource)
      const { views } = table
      order(table)
      const view = views.get(namespace ?? '*') ?? Object.freeze(cut(table.rows, namespace))
      views.set(namespace ?? '*', view)
      return view
    },
    set(ref, object) {
      const { byKey, rows, fresh, views } = tableOf(ref.resource)
      const key = keyOf(ref)
      const ordered = byKey.has(key) && !fresh.has(key)
      if (object) {
        byKey.set(key, object)
        if (ordered) rows[position(rows, ref.namespace, ref.name)] = object
        else fresh.set(key, object)
      } else if (ordered) rows.splice(position(rows, ref.namespace, ref.name), 1)
      else fresh.delete(key)
      if (!object) byKey.delete(key)
      views.clear()
    },
  }
}

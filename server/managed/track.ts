/**
 * What a write does to the managers of an object's fields. An update takes the fields that it changes; an apply takes those
 * that it names, asks the others first, and gives up what it names no longer. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../api/objects.ts'
import type { ResourceKind } from '../../api/resources.ts'
import { conflicted } from './conflict.ts'
import type { Conflict } from './conflict.ts'
import { difference, intersection, isEmpty, none, union } from './fields.ts'
import type { Fields } from './fields.ts'
import { beforeFirstApply, entriesFor, managersOf, sameWriter } from './entries.ts'
import type { Manager, Stated, StoredEntry, Writer } from './entries.ts'
import { merge, released } from './merge.ts'
import { divisionOf } from '../custom/fields.ts'
import type { JsonMap, Shape } from './shape.ts'
import { compare, fieldsIn, isMap } from './walk.ts'

/** Of metadata only this belongs to anyone but the server. */
const ownMeta = ['labels', 'annotations', 'finalizers', 'ownerReferences', 'generateName'] as const

/** The part of an object that managers are kept for. */
function tracked(object: JsonMap, { subresources }: ResourceKind, subresource: string): JsonMap {
  const { apiVersion: _a, kind: _k, metadata, status, ...rest } = object
  if (subresource === 'status') return status === undefined ? {} : { status }
  const given = isMap(metadata) ? metadata : {}
  const meta = Object.fromEntries(ownMeta.filter((field) => given[field] !== undefined).map((field) => [field, given[field]]))
  const own = status !== undefined && !subresources.includes('status')
  return { ...(Object.keys(meta).length > 0 && { metadata: meta }), ...rest, ...(own && { status }) }
}

export interface Update {
  readonly of: ResourceKind
  /** Absent for a new object. */
  readonly before?: KubeObject
  /** With its defaults. */
  readonly after: JsonMap
  readonly writer: Writer
  /** What the client itself says of managers. */
  readonly stated?: Stated | undefined
  /** RFC 3339 */
  readonly time: string
}

/** `managedFields` after an update or create: undefined for objects that nobody's fields are kept for. */
export function afterUpdate({ of, before, after, writer, stated, time }: Update): readonly StoredEntry[] | undefined {
  if (stated?.kind === 'forget') return undefined
  const shape = divisionOf(of)
  const kept = (before?.metadata.managedFields ?? undefined) as readonly StoredEntry[] | undefined
  // What was there before fields were kept stays so until somebody applies it.
  if (before && !kept?.length && !stated) return undefined
  const delta = compare(before ? tracked(before as unknown as JsonMap, of, writer.subresource) : {}, tracked(after, of, writer.subresource), shape)
  const taken = union(delta.added, delta.modified)
  if (isEmpty(taken) && isEmpty(delta.removed) && !stated) return kept
  const all = stated?.managers ?? (before ? managersOf(before) : [])
  const mine = all.find((m) => sameWriter(m, writer))
  const fields = difference(union(mine?.fields ?? none, taken), delta.removed)
  const others = all.filter((m) => m !== mine).map((m) => ({ ...m, fields: difference(m.fields, union(taken, delta.removed)) }))
  const own: Manager = { ...writer, fields, ...(isEmpty(taken) ? mine?.time && { time: mine.time } : { time }) }
  const entries = entriesFor([...others, own])
  return kept && isDeepStrictEqual(entries, kept) ? kept : entries
}

export interface Application {
  readonly of: ResourceKind
  readonly current?: KubeObject
  /** What the applier wants to be so, and nothing else. */
  readonly config: JsonMap
  readonly writer: Writer
  /** Take fields from other managers. */
  readonly force: boolean
  readonly time: string
}

export interface Applied {
  /** The object with the configuration in it. */
  readonly object: JsonMap
  readonly entries: readonly StoredEntry[]
}

/**
 * Applies a configuration (KEP-555).
 * @throws StatusError Conflict with a cause for each field that another manager has with another value
 */
export function applied(application: Application): Applied {
  const { of, current, config, writer, time } = application
  const shape = divisionOf(of)
  const wanted = tracked(config, of, writer.subresource)
  const named = Object.keys(wanted).length === 0 ? none : fieldsIn(wanted, shape)
  if (!current) return { object: config, entries: entriesFor([{ ...writer, time, fields: named }]) }
  const live = tracked(current as unknown as JsonMap, of, writer.subresource)
  // Who names nothing is no applier, for whom the others' fields would have to be written down.
  const all = isEmpty(named) ? managersOf(current) : priorManagers(current, { live, shape, writer })
  const mine = all.find((m) => sameWriter(m, writer))
  const others = all.filter((m) => m !== mine)
  const owned = others.reduce((sum, m) => union(sum, m.fields), named)
  const merged = released(merge(live, wanted, shape), shape, { last: mine?.fields ?? none, owned })
  const delta = compare(live, merged, shape)
  const taken = union(delta.added, delta.modified)
  const conflicts = others.map((manager) => ({ manager, fields: intersection(manager.fields, taken) })).filter((c) => !isEmpty(c.fields))
  if (!application.force) refuse(conflicts, { current, of, shape, writer })
  const changed = !isEmpty(taken) || !isEmpty(delta.removed)
  const lost = union(taken, delta.removed)
  const same = mine !== undefined && isEmpty(difference(mine.fields, named)) && isEmpty(difference(named, mine.fields))
  const own: Manager = { ...writer, fields: named, ...(changed || !same ? { time } : mine.time && { time: mine.time }) }
  const entries = entriesFor([...others.map((m) => ({ ...m, fields: difference(m.fields, lost) })), own])
  return { object: whole(current, merged, { config, writer }), entries }
}

interface Ground {
  readonly live: JsonMap
  readonly shape: Shape
  readonly writer: Writer
}

function priorManagers(current: KubeObject, { live, shape, writer }: Ground): readonly Manager[] {
  const all = managersOf(current)
  if (all.length > 0) return all
  return [{ ...writer, name: beforeFirstApply, operation: 'Update', subresource: '', fields: fieldsIn(live, shape) }]
}

export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration'
/** The name under which kubectl applies unless told otherwise. */
const kubectl = 'kubectl'

interface Stage {
  readonly current: KubeObject
  readonly of: ResourceKind
  readonly shape: Shape
  readonly writer: Writer
}

/** What kubectl itself wrote by client-side apply it may take without force: that is how its users move over. */
function refuse(conflicts: readonly Conflict[], { current, of, shape, writer }: Stage): void {
  const text = writer.name === kubectl ? current.metadata.annotations?.[lastAppliedAnnotation] : undefined
  const before = text === undefined ? undefined : parsed(text)
  const allowed: Fields = before ? fieldsIn(tracked(before, of, ''), shape) : none
  const left = conflicts.map((c) => ({ ...c, fields: difference(c.fields, allowed) })).filter((c) => !isEmpty(c.fields))
  if (left.length > 0) throw conflicted(left)
}

function parsed(text: string): JsonMap | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isMap(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The current object with the merged part in place of its own. What the configuration says beside it is still to be checked. */
function whole(current: KubeObject, merged: JsonMap, { config, writer }: { config: JsonMap; writer: Writer }): JsonMap {
  const given = isMap(config['metadata']) ? config['metadata'] : {}
  const { resourceVersion, uid } = given
  const meta = Object.fromEntries(Object.entries(current.metadata).filter(([field]) => !(ownMeta as readonly string[]).includes(field)))
  const sent = { ...(resourceVersion !== undefined && { resourceVersion }), ...(uid !== undefined && { uid }) }
  if (writer.subresource === 'status') return { ...current, ...merged, metadata: { ...current.metadata, ...sent } }
  const { apiVersion, kind, status } = current
  const own = isMap(merged['metadata']) ? merged['metadata'] : {}
  const annotations = lastApplied(current, own['annotations'], { config, writer })
  const metadata = { ...meta, ...own, ...(annotations !== undefined && { annotations }), ...sent }
  return { apiVersion, kind, ...(status !== undefined && { status }), ...merged, metadata }
}

/** kubectl's note of its last client-side apply follows, so that its users can move back too. */
function lastApplied(current: KubeObject, annotations: unknown, { config, writer }: { config: JsonMap; writer: Writer }): unknown {
  const noted = writer.name === kubectl && current.metadata.annotations?.[lastAppliedAnnotation] !== undefined
  if (!noted || !isMap(annotations) || annotations[lastAppliedAnnotation] === undefined) return annotations
  return { ...annotations, [lastAppliedAnnotation]: `${JSON.stringify(config)}\n` }
}

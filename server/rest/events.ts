/**
 * Events in the words of events.k8s.io/v1, which service proxies and other newer clients use. They are stored as core/v1:
 * here are the ways between the two. What stands under the same name in both is not named here. Pure.
 */
type JsonMap = { readonly [field: string]: unknown }

/** Field of events.k8s.io/v1, and of core/v1. */
const names: readonly (readonly [served: string, stored: string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
]
const toStored = new Map(names)
const toServed = new Map(names.map(([served, stored]) => [stored, served]))

const renamed = (object: object, words: ReadonlyMap<string, string>): JsonMap =>
  Object.fromEntries(Object.entries(object).map(([field, value]) => [words.get(field) ?? field, value]))

/** A draft of events.k8s.io/v1 as one of core/v1. */
export function toOlder(draft: JsonMap): JsonMap {
  return { involvedObject: {}, ...renamed(draft, toStored), apiVersion: 'v1' }
}

/** A stored event as one of events.k8s.io/v1. */
export function toYounger(object: JsonMap): JsonMap {
  return { ...renamed(object, toServed), apiVersion: 'events.k8s.io/v1' }
}

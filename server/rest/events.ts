/**
 * Events in the words of events.k8s.io/v1, which service proxies and other newer clients use. They are stored as core/v1:
 * here are the ways between the two. What stands under the same name in both is not named here. Pure.
 */
import { apiVersionOf, kindOf, type ResourceKind } from '../../api/resources.ts'

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

/** Whether a kind is an Event in its younger words. */
const isYounger = (of: ResourceKind): boolean => of.resource === 'events' && of.group !== ''

const renamed = (object: object, words: ReadonlyMap<string, string>): JsonMap =>
  Object.fromEntries(Object.entries(object).map(([field, value]) => [words.get(field) ?? field, value]))

/** A draft in the words in which its kind is stored; the draft itself where they are the same. */
export function storedForm<T extends JsonMap>(of: ResourceKind, draft: T): T {
  if (!isYounger(of)) return draft
  return { involvedObject: {}, ...renamed(draft, toStored), apiVersion: apiVersionOf(kindOf(of.resource)) } as JsonMap as T
}

/** A stored object in the words of the kind as it was asked for; the object itself where they are the same. */
export function servedForm<T extends object>(of: ResourceKind, object: T): T {
  return isYounger(of) ? ({ ...renamed(object, toServed), apiVersion: apiVersionOf(of) } as object as T) : object
}

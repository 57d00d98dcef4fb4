/** What a decision comes to, the same in every store. */
import type { KubeObject } from '../../api/objects.ts'
import { settle } from './settle.ts'
import type { Decision, Ref } from './store.ts'

/** `object` is settled, and still has the revision of the state before it ('' for none). */
export type Outcome =
  | { readonly kind: 'put'; readonly object: KubeObject }
  | { readonly kind: 'remove'; readonly object: KubeObject }
  | { readonly kind: 'keep' }

/** @throws TypeError for an object under another name than that of its write, and for what JSON cannot carry */
export function outcomeOf(ref: Ref, current: KubeObject | undefined, decision: Decision): Outcome {
  if ('keep' in decision) return { kind: 'keep' }
  if ('remove' in decision) return current ? { kind: 'remove', object: current } : { kind: 'keep' }
  const { put } = decision
  const { name, namespace = '' } = put.metadata
  if (name !== ref.name || namespace !== ref.namespace) {
    throw new TypeError(`a write of ${ref.resource} ${ref.namespace}/${ref.name} put an object named ${namespace}/${name}`)
  }
  const metadata = { ...put.metadata, resourceVersion: current?.metadata.resourceVersion ?? '' }
  const object = settle({ ...put, metadata }, current) as KubeObject
  return object === current ? { kind: 'keep' } : { kind: 'put', object }
}

/** A settled object with the revision of its change, be it the last one. */
export function stamped(object: KubeObject, revision: number): KubeObject {
  return Object.freeze({ ...object, metadata: Object.freeze({ ...object.metadata, resourceVersion: String(revision) }) })
}

/** Kinds that clients know by two words: from the words in which a client speaks to those in which a kind is stored, and back. */
import { apiVersionOf, isBuiltIn, kindOf, type ResourceKind } from '../../api/resources.ts'
import type { KubeObject } from '../../api/objects.ts'
import { readAs } from '../custom/kind.ts'
import { toFirst, toSecond } from './autoscalers.ts'
import { toOlder, toYounger } from './events.ts'

type JsonMap = { readonly [field: string]: unknown }

interface Form {
  readonly stored: (draft: JsonMap) => JsonMap
  readonly served: (object: JsonMap) => JsonMap
}

/** By the apiVersion and the kind of the form that is not stored. */
const forms: Readonly<Record<string, Form>> = {
  'events.k8s.io/v1 Event': { stored: toOlder, served: toYounger },
  'autoscaling/v1 HorizontalPodAutoscaler': { stored: toSecond, served: toFirst },
}

const formOf = (of: ResourceKind): Form | undefined =>
  !isBuiltIn(of.resource) || of === kindOf(of.resource) ? undefined : forms[`${apiVersionOf(of)} ${of.kind}`]

/** A draft in the words in which its kind is stored; the draft itself where they are the same. */
export function storedForm<T extends JsonMap>(of: ResourceKind, draft: T): T {
  const form = formOf(of)
  return form ? (form.stored(draft) as T) : draft
}

/** A stored object in the words of the kind as it was asked for; the object itself where they are the same, or where it is only metadata. */
export function servedForm<T extends { readonly kind?: unknown }>(of: ResourceKind, object: T): T {
  if (!isBuiltIn(of.resource)) return object.kind === of.kind ? (readAs(of, object as object as KubeObject) as object as T) : object
  const form = formOf(of)
  return form && object.kind === of.kind ? (form.served(object) as object as T) : object
}

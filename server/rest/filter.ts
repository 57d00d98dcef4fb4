/** Which objects a list, a watch or a deletecollection is about: its label and field selectors, and its path. */
import type { KubeObject } from '../../api/objects.ts'
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from '../../api/selectors.ts'
import { customOf } from '../custom/kind.ts'
import type { ResourceTarget } from './target.ts'

export interface Filter {
  /** Set where every object of the collection matches. */
  readonly everything: boolean
  readonly matches: (object: KubeObject) => boolean
}

/** The filter of a request. The namespace is not part of it. @throws StatusError BadRequest */
export function filterOf(query: URLSearchParams, { of, name }: ResourceTarget): Filter {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '')
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '', of, customOf(of)?.selectable)
  return {
    everything: labels.length === 0 && fields.length === 0 && name === '',
    matches: (object) =>
      (name === '' || object.metadata.name === name) && matchesLabels(labels, object.metadata.labels) && matchesFields(fields, object),
  }
}

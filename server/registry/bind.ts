/** The verb `bind`: a pod gets its node. */
import { rfc3339 } from '../../api/clock.ts'
import type { KubeObject, Pod } from '../../api/objects.ts'
import { kindOf } from '../../api/resources.ts'
import { conflict, invalid, notFound } from '../../api/status.ts'
import { required, wrong } from '../admit/causes.ts'
import { dnsSubdomain } from '../admit/validate/names.ts'
import { afterUpdate } from '../managed/track.ts'
import { commit, timeOf, withEntries, writerOf, type RegistryDeps } from './deps.ts'
import type { Draft, Registry } from './registry.ts'

export function bindVerb(deps: RegistryDeps): Registry['bind'] {
  return (ref, node, options = {}) => {
    const of = kindOf('pods')
    const writer = writerOf({ of, operation: 'Update', subresource: 'binding' }, options)
    return commit(
      deps,
      ref,
      (current) => {
        if (!current) throw notFound(of, ref.name)
        const after = bound(current, node, deps.clock.now())
        const draft = after as object as Draft
        return { put: withEntries(after, afterUpdate({ of, before: current, after: draft, writer, time: timeOf(deps) })) }
      },
      options,
    )
  }
}

/**
 * The pod on its node. @param now ms since 1970
 * @throws StatusError Conflict, Invalid
 */
export function bound(current: KubeObject, node: string, now: number): KubeObject {
  const of = kindOf('pods')
  const { metadata, spec, status } = current as Pod
  const problem = dnsSubdomain(node)
  if (problem)
    throw invalid(of, metadata.name, [
      node === '' ? required('target.name', 'must name a node') : wrong('target.name', node, problem),
    ])
  if (metadata.deletionTimestamp)
    throw conflict(of, metadata.name, `pod ${metadata.name} is being deleted, cannot be assigned to a host`)
  if (spec?.nodeName)
    throw conflict(of, metadata.name, `pod ${metadata.name} is already assigned to node ${JSON.stringify(spec.nodeName)}`)
  const others = (status?.conditions ?? []).filter((c) => c.type !== 'PodScheduled')
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: rfc3339(now) }
  return { ...current, spec: { ...spec, nodeName: node }, status: { ...status, conditions: [...others, scheduled] } }
}

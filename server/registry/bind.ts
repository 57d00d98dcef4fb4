/** The verb `bind`: a pod gets its node. */
import { rfc3339 } from '../../api/clock.ts'
import type { KubeObject, Pod } from '../../api/objects.ts'
import { kindOf } from '../../api/resources.ts'
import { conflict, invalid, notFound } from '../../api/status.ts'
import { required, wrong } from '../admit/causes.ts'
import { dnsSubdomain } from '../admit/validate/names.ts'
import { commit, type RegistryDeps } from './deps.ts'
import type { Registry } from './registry.ts'

export function bindVerb(deps: RegistryDeps): Registry['bind'] {
  return (ref, node, options = {}) =>
    commit(
      deps,
      ref,
      (current) => {
        if (!current) throw notFound(kindOf('pods'), ref.name)
        return { put: bound(current, node, deps.clock.now()) }
      },
      options,
    )
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

/** Checks of the kinds whose pods are replaced when they end: apps/v1 and core/v1 ReplicationController. */
import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  LabelSelector,
  PodTemplate,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../../../api/objects.ts'
import { matchesSelector } from '../../../api/selectors.ts'
import { forbidden, required, wrong, type Causes } from '../causes.ts'
import { atLeastZero, validateShare } from './amounts.ts'
import { text, validateSelector } from './meta.ts'
import { dnsLabel, dnsSubdomain } from './names.ts'
import { validateTemplate } from './template.ts'
import { validateClaimSpec } from './volume.ts'

type Strategy = NonNullable<NonNullable<Deployment['spec']>['strategy']>

export function* validateReplicaSet({ spec }: ReplicaSet): Causes {
  if (!spec) return yield required('spec')
  yield* atLeastZero('spec', spec, ['replicas', 'minReadySeconds'])
  yield* validateOwnership(spec.selector, spec.template)
}

export function* validateDeployment({ spec }: Deployment): Causes {
  if (!spec) return yield required('spec')
  yield* atLeastZero('spec', spec, ['replicas', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'])
  const { progressDeadlineSeconds, minReadySeconds = 0 } = spec
  if (progressDeadlineSeconds !== undefined && progressDeadlineSeconds >= 0 && progressDeadlineSeconds <= minReadySeconds) {
    yield wrong('spec.progressDeadlineSeconds', progressDeadlineSeconds, 'must be greater than minReadySeconds')
  }
  if (spec.strategy) yield* validateStrategy(spec.strategy)
  yield* validateOwnership(spec.selector, spec.template)
}

/** The selector must find the pods that the template makes, and not everybody's. */
function* validateOwnership(selector: LabelSelector, template: PodTemplateSpec | undefined): Causes {
  yield* validateSelector('spec.selector', selector)
  if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
    yield wrong('spec.selector', selector, 'must not be empty: it would select every pod of the namespace')
  }
  if (!template) return yield required('spec.template')
  const { labels } = template.metadata ?? {}
  if (!matchesSelector(selector, labels))
    yield wrong('spec.template.metadata.labels', labels ?? {}, '`selector` does not match template `labels`')
  yield* validateTemplate('spec.template', template, ['Always'])
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    yield forbidden(
      'spec.template.spec.activeDeadlineSeconds',
      'may not be given in a template whose pods are replaced when they end',
    )
  }
}

export function* validateReplicationController({ spec }: ReplicationController): Causes {
  if (!spec) return yield required('spec')
  yield* atLeastZero('spec', spec, ['replicas', 'minReadySeconds'])
  if (Object.keys(spec.selector ?? {}).length === 0) yield required('spec.selector', 'must have labels, or the template must')
  else yield* validateOwnership({ matchLabels: spec.selector! }, spec.template)
}

export function* validateDaemonSet({ spec }: DaemonSet): Causes {
  if (!spec) return yield required('spec')
  yield* atLeastZero('spec', spec, ['minReadySeconds', 'revisionHistoryLimit'])
  const { type, rollingUpdate } = spec.updateStrategy ?? {}
  if (type === 'RollingUpdate') yield* validateRolling('spec.updateStrategy.rollingUpdate', rollingUpdate ?? {}, 'exclusive')
  yield* validateOwnership(spec.selector, spec.template)
}

export function* validateStatefulSet({ spec }: StatefulSet): Causes {
  if (!spec) return yield required('spec')
  yield* atLeastZero('spec', spec, ['replicas', 'minReadySeconds', 'revisionHistoryLimit'])
  const { type, rollingUpdate } = spec.updateStrategy ?? {}
  if (type === 'OnDelete' && rollingUpdate) yield wrong('spec.updateStrategy.rollingUpdate', rollingUpdate, "may only be given where `type` is 'RollingUpdate'")
  yield* atLeastZero('spec.updateStrategy.rollingUpdate', rollingUpdate ?? {}, ['partition'])
  if (rollingUpdate?.maxUnavailable !== undefined) {
    yield* validateShare('spec.updateStrategy.rollingUpdate.maxUnavailable', rollingUpdate.maxUnavailable, 100)
    if (isNothing(rollingUpdate.maxUnavailable)) yield wrong('spec.updateStrategy.rollingUpdate.maxUnavailable', rollingUpdate.maxUnavailable, 'must not be 0')
  }
  yield* atLeastZero('spec.ordinals', spec.ordinals ?? {}, ['start'])
  if (spec.serviceName) yield* text('spec.serviceName', spec.serviceName, dnsLabel)
  for (const [i, claim] of (spec.volumeClaimTemplates ?? []).entries()) {
    const at = `spec.volumeClaimTemplates[${i}]`
    if (!claim.metadata?.name) yield required(`${at}.metadata.name`)
    else yield* text(`${at}.metadata.name`, claim.metadata.name, dnsSubdomain)
    if (!claim.spec) yield required(`${at}.spec`)
    else yield* validateClaimSpec(`${at}.spec`, claim.spec)
  }
  yield* validateOwnership(spec.selector, withClaims(spec.template, spec.volumeClaimTemplates ?? []))
}

/** Each pod of the set has a volume of each claim, which its containers may name. */
function withClaims(template: PodTemplateSpec, claims: readonly { readonly metadata?: { readonly name?: string } }[]): PodTemplateSpec {
  if (!template.spec || claims.length === 0) return template
  const names = claims.map((claim) => claim.metadata?.name ?? '').filter((name) => dnsLabel(name) === undefined)
  const others = (template.spec.volumes ?? []).filter((volume) => !names.includes(volume.name))
  const volumes = [...others, ...[...new Set(names)].map((name) => ({ name, persistentVolumeClaim: { claimName: name } }))]
  return { ...template, spec: { ...template.spec, volumes } }
}

export function* validateControllerRevision({ revision, data }: ControllerRevision): Causes {
  if (revision < 0) yield wrong('revision', revision, 'must be greater than or equal to 0')
  if (data === undefined) yield required('data')
}

export function* validatePodTemplate({ template }: PodTemplate): Causes {
  if (!template) yield required('template')
  else yield* validateTemplate('template', template)
}

function* validateStrategy({ type, rollingUpdate }: Strategy): Causes {
  if (type === 'Recreate') {
    if (rollingUpdate) yield forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")
    return
  }
  yield* validateRolling('spec.strategy.rollingUpdate', rollingUpdate ?? {}, 'together')
}

type Rolling = { readonly maxSurge?: number | string; readonly maxUnavailable?: number | string }

/** @param both whether pods may be added and taken away at the same time */
function* validateRolling(at: string, { maxSurge = 0, maxUnavailable = 0 }: Rolling, both: 'together' | 'exclusive'): Causes {
  yield* validateShare(`${at}.maxSurge`, maxSurge, both === 'together' ? Infinity : 100)
  yield* validateShare(`${at}.maxUnavailable`, maxUnavailable, 100)
  if (isNothing(maxSurge) && isNothing(maxUnavailable))
    yield wrong(`${at}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')
  if (both === 'exclusive' && !isNothing(maxSurge) && !isNothing(maxUnavailable))
    yield wrong(`${at}.maxSurge`, maxSurge, 'may not be given where `maxUnavailable` is: one of them is 0')
}

const isNothing = (amount: number | string): boolean => amount === 0 || /^0+%$/.test(String(amount))

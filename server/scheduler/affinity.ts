/** `nodeSelector` and required node affinity (core/v1 NodeSelectorTerm). Pure. */
import type { Node, Pod } from '../../api/objects.ts'
import { matchesLabels, type LabelRequirement } from '../../api/selectors.ts'

type Required = NonNullable<
  NonNullable<NonNullable<NonNullable<Pod['spec']>['affinity']>['nodeAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
>
type Term = Required['nodeSelectorTerms'][number]
type Requirement = NonNullable<Term['matchExpressions']>[number]

export function matchesAffinity(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  if (Object.entries(pod.spec?.nodeSelector ?? {}).some(([k, v]) => labels[k] !== v)) return false
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return !terms || terms.some((t) => matchesTerm(t, node))
}

/** An empty term matches nothing, nor does an operator that is not known. */
function matchesTerm({ matchExpressions = [], matchFields = [] }: Term, { metadata }: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false
  return (
    matchesLabels(matchExpressions.map(requirementOf), metadata.labels) &&
    matchesLabels(matchFields.map(requirementOf), { 'metadata.name': metadata.name })
  )
}

const requirementOf = ({ key, operator, values = [] }: Requirement): LabelRequirement => ({
  key,
  operator: operator as LabelRequirement['operator'],
  values,
})

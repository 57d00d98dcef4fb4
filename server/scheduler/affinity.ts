/** `nodeSelector` and required node affinity (core/v1 NodeSelectorTerm). Pure. */
import type { Node, Pod } from '../../api/objects.ts'

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

/** An empty term matches nothing. */
function matchesTerm(term: Term, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term
  if (matchExpressions.length + matchFields.length === 0) return false
  return (
    matchExpressions.every((r) => matches(r, node.metadata.labels?.[r.key])) &&
    matchFields.every((r) => matches(r, r.key === 'metadata.name' ? node.metadata.name : undefined))
  )
}

function matches({ operator, values = [] }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0])
    default:
      return false
  }
}

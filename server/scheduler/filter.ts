/** Which nodes a pod may run on at all, and in a few words why not on the others. Pure. */
import type { Node, Pod } from '../../api/objects.ts'
import { matchesAffinity } from './affinity.ts'
import { fits, requestsOf, type Requests } from './requests.ts'

/** One node as the scheduler sees it: what is promised to the pods that are on it. */
export interface Candidate {
  readonly node: Node
  readonly promised: Requests
}

/** Undefined where the pod may run; else the reason, worded to be counted (`1 Insufficient cpu`). */
export function refusal(pod: Pod, { node, promised }: Candidate): string | undefined {
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready')?.status === 'True'
  if (!ready) return 'node(s) were not ready'
  if (node.spec?.unschedulable) return 'node(s) were unschedulable'
  const taint = (node.spec?.taints ?? []).find((t) => t.effect !== 'PreferNoSchedule' && !tolerates(pod, t))
  if (taint) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`
  if (!matchesAffinity(pod, node)) return "node(s) didn't match Pod's node affinity/selector"
  return fits(requestsOf(pod), promised, node)
}

type Taint = NonNullable<NonNullable<Node['spec']>['taints']>[number]

/** core/v1 Toleration: an empty key with Exists tolerates everything, an empty effect all effects. */
export function tolerates(pod: Pod, taint: Taint): boolean {
  return (pod.spec?.tolerations ?? []).some(
    (t) =>
      (!t.effect || t.effect === taint.effect) &&
      (t.operator === 'Exists' ? !t.key || t.key === taint.key : t.key === taint.key && (t.value ?? '') === (taint.value ?? '')),
  )
}

/** `0/3 nodes are available: 2 node(s) were not ready, 1 Insufficient cpu.` */
export function explainRefusals(total: number, reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const r of reasons) counts.set(r, (counts.get(r) ?? 0) + 1)
  const parts = [...counts].toSorted((a, b) => b[1] - a[1]).map(([reason, n]) => `${n} ${reason}`)
  return `0/${total} nodes are available${parts.length > 0 ? `: ${parts.join(', ')}` : ''}.`
}

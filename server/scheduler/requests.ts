/** What pods ask for, added up, and whether a node has it left (core/v1 ResourceRequirements). Pure. */
import type { Container, Node, Pod } from '../../api/objects.ts'
import { bytes, cpuMillis } from '../../api/quantity.ts'

export interface Requests {
  readonly cpuMillis: number
  readonly memoryBytes: number
  readonly pods: number
}

export const nothing: Requests = { cpuMillis: 0, memoryBytes: 0, pods: 0 }

/** The sum over containers, or the largest init container where that is more. */
export function requestsOf(pod: Pod): Requests {
  const of = ({ resources }: Container): Requests => ({
    cpuMillis: cpuMillis(resources?.requests?.['cpu'] ?? '0'),
    memoryBytes: bytes(resources?.requests?.['memory'] ?? '0'),
    pods: 0,
  })
  const main = (pod.spec?.containers ?? []).map(of).reduce(plus, nothing)
  const init = (pod.spec?.initContainers ?? []).map(of)
  return {
    cpuMillis: Math.max(main.cpuMillis, ...init.map((i) => i.cpuMillis)),
    memoryBytes: Math.max(main.memoryBytes, ...init.map((i) => i.memoryBytes)),
    pods: 1,
  }
}

export const plus = (a: Requests, b: Requests): Requests => ({
  cpuMillis: a.cpuMillis + b.cpuMillis,
  memoryBytes: a.memoryBytes + b.memoryBytes,
  pods: a.pods + b.pods,
})

/** Undefined where it fits, else what is short. */
export function fits(wanted: Requests, promised: Requests, node: Node): string | undefined {
  const have = capacityOf(node)
  if (promised.pods + wanted.pods > have.pods) return 'Too many pods'
  if (wanted.cpuMillis > 0 && promised.cpuMillis + wanted.cpuMillis > have.cpuMillis) return 'Insufficient cpu'
  if (wanted.memoryBytes > 0 && promised.memoryBytes + wanted.memoryBytes > have.memoryBytes) return 'Insufficient memory'
  return undefined
}

export function capacityOf(node: Node): Requests {
  const allocatable = node.status?.allocatable ?? node.status?.capacity ?? {}
  const text = (name: string, otherwise: string): string => String(allocatable[name] ?? otherwise)
  return { cpuMillis: cpuMillis(text('cpu', '0')), memoryBytes: bytes(text('memory', '0')), pods: Number(text('pods', '110')) }
}

/** A pod's quality-of-service class (core/v1 PodStatus.qosClass). Pure. */
import type { PodSpec } from '../../api/objects.ts'
import { parseQuantity } from './quantity.ts'

const goods = ['cpu', 'memory'] as const

export function qosClass(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const all = [...(spec.initContainers ?? []), ...spec.containers].map((c) => {
    const { limits = {}, requests = {} } = c.resources ?? {}
    return goods.map((name) => ({ limit: limits[name], request: requests[name] ?? limits[name] }))
  })
  const stated = all.flat()
  if (stated.every((s) => !s.limit && !s.request)) return 'BestEffort'
  return stated.every((s) => s.limit && s.request && same(s.limit, s.request)) ? 'Guaranteed' : 'Burstable'
}

function same(a: string | number, b: string | number): boolean {
  try {
    return parseQuantity(a) === parseQuantity(b)
  } catch {
    return false
  }
}

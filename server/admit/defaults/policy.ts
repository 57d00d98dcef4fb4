/** What kube-apiserver fills into kinds that limit or steer others. */
import type {
  HorizontalPodAutoscaler,
  IngressClass,
  LimitRange,
  NetworkPolicy,
  PriorityClass,
  ResourceQuota,
} from '../../../api/objects.ts'
import { fill } from './fill.ts'
import { amountsAsText } from './pod.ts'

type Limit = NonNullable<LimitRange['spec']>['limits'][number]
type Scaling = NonNullable<HorizontalPodAutoscaler['spec']>
type Metric = NonNullable<Scaling['metrics']>[number]
type Rules = NonNullable<NonNullable<Scaling['behavior']>['scaleUp']>

const amountFields = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const

export function limitRangeDefaults(range: LimitRange): LimitRange {
  return range.spec ? { ...range, spec: { ...range.spec, limits: range.spec.limits.map(limitDefaults) } } : range
}

/** For containers, a limit that nobody sets is the greatest one, and what nobody requests is the limit, or the least. */
function limitDefaults(limit: Limit): Limit {
  const texts = Object.fromEntries(amountFields.flatMap((field) => (limit[field] ? [[field, amountsAsText(limit[field])]] : [])))
  const item: Limit = { ...limit, ...texts }
  if (item.type !== 'Container') return item
  const most = { ...item.max, ...item.default }
  const asked = { ...item.min, ...most, ...item.defaultRequest }
  return { ...item, ...(Object.keys(most).length > 0 && { default: most }), ...(Object.keys(asked).length > 0 && { defaultRequest: asked }) }
}

export function resourceQuotaDefaults(quota: ResourceQuota): ResourceQuota {
  const hard = quota.spec?.hard
  return hard ? { ...quota, spec: { ...quota.spec, hard: amountsAsText(hard) } } : quota
}

export function priorityClassDefaults(of: PriorityClass): PriorityClass {
  return fill(of, { value: 0, preemptionPolicy: 'PreemptLowerPriority' })
}

export function ingressClassDefaults(of: IngressClass): IngressClass {
  const parameters = of.spec?.parameters
  return parameters ? { ...of, spec: { ...of.spec, parameters: fill(parameters, { scope: 'Cluster' }) } } : of
}

/** A policy speaks of what comes in, and of what goes out where it has rules for that. */
export function networkPolicyDefaults(policy: NetworkPolicy): NetworkPolicy {
  if (!policy.spec) return policy
  const { ingress, egress } = policy.spec
  const ports = <R extends NonNullable<typeof ingress>[number]>(rule: R): R =>
    rule.ports ? { ...rule, ports: rule.ports.map((port) => fill(port, { protocol: 'TCP' })) } : rule
  const spec = {
    ...policy.spec,
    podSelector: policy.spec.podSelector ?? {},
    ...(ingress && { ingress: ingress.map(ports) }),
    ...(egress && { egress: egress.map(ports) }),
  }
  return { ...policy, spec: fill(spec, { policyTypes: egress?.length ? ['Ingress', 'Egress'] : ['Ingress'] }) }
}

export function autoscalerDefaults(scaler: HorizontalPodAutoscaler): HorizontalPodAutoscaler {
  if (!scaler.spec) return scaler
  const { metrics, behavior } = scaler.spec
  const cpu: Metric = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }
  const { scaleUp, scaleDown } = behavior ?? {}
  const spec = {
    ...scaler.spec,
    metrics: metrics?.length ? metrics.map(metricDefaults) : [cpu],
    ...(behavior && { behavior: { scaleUp: rulesDefaults(scaleUp, up), scaleDown: rulesDefaults(scaleDown, down) } }),
  }
  return { ...scaler, spec: fill(spec, { minReplicas: 1 }) }
}

const up: Rules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
}
/** How long to wait before scaling down is a setting of the controller, unless it is said here. */
const down: Rules = { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] }

const rulesDefaults = (rules: Rules | undefined, defaults: Rules): Rules => fill(rules ?? {}, defaults)

/** Quantities are texts when they are read back. */
function metricDefaults(metric: Metric): Metric {
  const asText = (amount: string | number | undefined): string | undefined => (amount === undefined ? undefined : String(amount))
  const filled: Metric = { ...metric }
  for (const source of ['resource', 'containerResource', 'pods', 'object', 'external'] as const) {
    const of = metric[source]
    if (!of?.target) continue
    const [value, averageValue] = [asText(of.target.value), asText(of.target.averageValue)]
    const target = { ...of.target, ...(value !== undefined && { value }), ...(averageValue !== undefined && { averageValue }) }
    Object.assign(filled, { [source]: { ...of, target } })
  }
  return filled
}


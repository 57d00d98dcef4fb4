/**
 * HorizontalPodAutoscalers in the words of autoscaling/v1, which knows one metric, the use of CPU. They are stored as
 * autoscaling/v2: here are the ways between the two. What v1 has no words for stands in annotations, as in Kubernetes, so that
 * who reads and writes v1 loses none of it. Pure; drafts are of any JSON.
 */
import { badRequest } from '../../api/status.ts'

type JsonMap = { readonly [field: string]: unknown }

const annotations = { metrics: 'autoscaling.alpha.kubernetes.io/metrics', behavior: 'autoscaling.alpha.kubernetes.io/behavior' } as const

const isPlain = (value: unknown): value is JsonMap => typeof value === 'object' && value !== null && !Array.isArray(value)
const plain = (value: unknown): JsonMap => (isPlain(value) ? value : {})

/** Without the fields that are not given. */
const given = (object: JsonMap): JsonMap => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))

/** A metric that v1 says by its one number: how much CPU the pods use of what they request. */
function cpuOf(metric: unknown): unknown {
  const { type, resource } = plain(metric)
  const { name, target } = plain(resource)
  const { type: by, averageUtilization } = plain(target)
  return type === 'Resource' && name === 'cpu' && by === 'Utilization' ? averageUtilization : undefined
}

/** A draft of autoscaling/v1 as one of autoscaling/v2. @throws StatusError BadRequest where an annotation is not JSON */
export function toSecond(draft: JsonMap): JsonMap {
  const metadata = plain(draft.metadata)
  const notes = plain(metadata.annotations)
  const { [annotations.metrics]: more, [annotations.behavior]: rules, ...others } = notes
  const kept = isPlain(metadata.annotations) ? { ...metadata, annotations: Object.keys(others).length > 0 ? others : undefined } : draft.metadata
  const { targetCPUUtilizationPercentage: cpu, ...spec } = plain(draft.spec)
  const first = cpu === undefined || cpu === null ? [] : [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: cpu } } }]
  const rest = parsed(annotations.metrics, more)
  const metrics = [...first, ...(Array.isArray(rest) ? rest.map(metricToSecond) : [])]
  const behavior = parsed(annotations.behavior, rules)
  const { currentCPUUtilizationPercentage: _c, ...status } = plain(draft.status)
  return {
    ...draft,
    apiVersion: 'autoscaling/v2',
    ...(isPlain(kept) ? { metadata: given(kept) } : {}),
    ...(isPlain(draft.spec) && { spec: given({ ...spec, ...(metrics.length > 0 && { metrics }), behavior }) }),
    ...(isPlain(draft.status) && { status }),
  }
}

function parsed(annotation: string, text: unknown): unknown {
  if (typeof text !== 'string') return undefined
  try {
    return JSON.parse(text) as unknown
  } catch (e) {
    throw badRequest(`metadata.annotations[${annotation}] must be JSON: ${(e as Error).message}`)
  }
}

/** A stored autoscaler as autoscaling/v1. */
export function toFirst(object: JsonMap): JsonMap {
  const { metrics, behavior, ...spec } = plain(object.spec)
  const all = Array.isArray(metrics) ? (metrics as readonly unknown[]) : []
  const cpu = all.findIndex((metric) => cpuOf(metric) !== undefined)
  const more = all.filter((_, i) => i !== cpu).map(metricToFirst)
  const { conditions: _c, currentMetrics, ...status } = plain(object.status)
  const uses = (Array.isArray(currentMetrics) ? currentMetrics : []).map((m) => plain(plain(plain(m).resource).current).averageUtilization)
  const metadata = plain(object.metadata)
  const notes = given({
    ...plain(metadata.annotations),
    [annotations.metrics]: more.length > 0 ? JSON.stringify(more) : undefined,
    [annotations.behavior]: behavior === undefined ? undefined : JSON.stringify(behavior),
  })
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: { ...metadata, ...(Object.keys(notes).length > 0 && { annotations: notes }) },
    ...(isPlain(object.spec) && { spec: given({ ...spec, targetCPUUtilizationPercentage: cpu < 0 ? undefined : cpuOf(all[cpu]) }) }),
    ...(isPlain(object.status) && {
      status: given({ currentReplicas: 0, ...status, currentCPUUtilizationPercentage: uses.find((use) => use !== undefined) }),
    }),
  }
}

/** One metric of v2 in the words of v1's annotation. */
function metricToFirst(metric: unknown): JsonMap {
  const { type, resource, containerResource, pods, object, external } = plain(metric)
  const says = (source: unknown): { readonly own: JsonMap; readonly target: JsonMap; readonly metric: JsonMap } => {
    const { target, metric: of, ...own } = plain(source)
    return { own, target: plain(target), metric: plain(of) }
  }
  const amounts = ({ averageUtilization, averageValue }: JsonMap): JsonMap => given({ targetAverageUtilization: averageUtilization, targetAverageValue: averageValue })
  const word = { resource: says(resource), containerResource: says(containerResource), pods: says(pods), object: says(object), external: says(external) }
  return given({
    type,
    resource: resource && { ...word.resource.own, ...amounts(word.resource.target) },
    containerResource: containerResource && { ...word.containerResource.own, ...amounts(word.containerResource.target) },
    pods:
      pods && given({ metricName: word.pods.metric.name, selector: word.pods.metric.selector, targetAverageValue: word.pods.target.averageValue }),
    object:
      object &&
      given({
        target: word.object.own.describedObject,
        metricName: word.object.metric.name,
        selector: word.object.metric.selector,
        targetValue: word.object.target.value,
        averageValue: word.object.target.averageValue,
      }),
    external:
      external &&
      given({
        metricName: word.external.metric.name,
        metricSelector: word.external.metric.selector,
        targetValue: word.external.target.value,
        targetAverageValue: word.external.target.averageValue,
      }),
  })
}

function targetOf(utilization: unknown, average: unknown, value: unknown): JsonMap {
  if (utilization !== undefined) return { type: 'Utilization', averageUtilization: utilization }
  return average === undefined ? given({ type: 'Value', value }) : { type: 'AverageValue', averageValue: average }
}

/** And back. */
function metricToSecond(metric: unknown): JsonMap {
  const { type, resource, containerResource, pods, object, external } = plain(metric)
  const byResource = (source: JsonMap): JsonMap => {
    const { targetAverageUtilization, targetAverageValue, ...own } = source
    return { ...own, target: targetOf(targetAverageUtilization, targetAverageValue, undefined) }
  }
  const named = (name: unknown, selector: unknown): JsonMap => given({ name, selector })
  const [p, o, e] = [plain(pods), plain(object), plain(external)]
  return given({
    type,
    resource: resource && byResource(plain(resource)),
    containerResource: containerResource && byResource(plain(containerResource)),
    pods: pods && { metric: named(p.metricName, p.selector), target: targetOf(undefined, p.targetAverageValue, undefined) },
    object: object && {
      describedObject: o.target,
      metric: named(o.metricName, o.selector),
      target: targetOf(undefined, o.averageValue, o.targetValue),
    },
    external: external && {
      metric: named(e.metricName, e.metricSelector),
      target: targetOf(undefined, e.targetAverageValue, e.targetValue),
    },
  })
}

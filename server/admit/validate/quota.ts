/** Checks of core/v1 LimitRange and ResourceQuota. */
import type { LimitRange, ResourceQuota } from '../../../api/objects.ts'
import { duplicate, forbidden, required, unsupported, wrong, type Causes } from '../causes.ts'
import { readAmount, validateAmounts } from './amounts.ts'

type Limit = NonNullable<LimitRange['spec']>['limits'][number]
type Amounts = Readonly<Record<string, string | number>>

export function* validateLimitRange({ spec }: LimitRange): Causes {
  const seen = new Set<string>()
  for (const [i, limit] of (spec?.limits ?? []).entries()) {
    const at = `spec.limits[${i}]`
    if (seen.has(limit.type)) yield duplicate(`${at}.type`, limit.type)
    seen.add(limit.type)
    for (const field of ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const) yield* validateAmounts(`${at}.${field}`, limit[field])
    if (limit.type === 'Pod') {
      for (const field of ['default', 'defaultRequest'] as const)
        if (limit[field]) yield forbidden(`${at}.${field}`, "may not be specified when `type` is 'Pod'")
    }
    if (limit.type === 'PersistentVolumeClaim' && limit.min?.['storage'] === undefined && limit.max?.['storage'] === undefined)
      yield required(`${at}.min[storage]`, 'either minimum or maximum storage value is required')
    yield* validateOrder(at, limit)
  }
}

/** From the least to the greatest; each pair that is out of order is told of where it stands. */
const order = [
  ['min', 'max'],
  ['min', 'defaultRequest'],
  ['min', 'default'],
  ['defaultRequest', 'default'],
  ['defaultRequest', 'max'],
  ['default', 'max'],
] as const

function* validateOrder(field: string, limit: Limit): Causes {
  for (const [less, more] of order) {
    for (const [name, amount] of Object.entries((limit[less] ?? {}) as Amounts)) {
      const other = ((limit[more] ?? {}) as Amounts)[name]
      if (other !== undefined && isMore(amount, other)) yield wrong(`${field}.${less}[${name}]`, amount, `must be less than or equal to \`${more}\`, which is ${other}`)
    }
  }
  for (const [name, ratio] of Object.entries((limit.maxLimitRequestRatio ?? {}) as Amounts))
    if (isMore('1', ratio)) yield wrong(`${field}.maxLimitRequestRatio[${name}]`, ratio, 'must be 1 or more')
}

function isMore(a: string | number, b: string | number): boolean {
  const [left, right] = [readAmount(a), readAmount(b)]
  return typeof left === 'bigint' && typeof right === 'bigint' && left > right
}

/** Those that speak of the same pods in opposite ways. */
const opposites = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const

/** Of what can be counted, numbers of objects and ports are whole. */
const counted = /^(count\/.+|pods|services|services\..+|replicationcontrollers|resourcequotas|secrets|configmaps|persistentvolumeclaims)$/
const standard =
  /^(count\/[^/]+|cpu|memory|ephemeral-storage|storage|pods|services|services\.(nodeports|loadbalancers)|replicationcontrollers|resourcequotas|secrets|configmaps|persistentvolumeclaims|hugepages-.+|(requests|limits)\.(cpu|memory|ephemeral-storage|storage|hugepages-.+))$/

export function* validateResourceQuota({ spec = {} }: ResourceQuota): Causes {
  const { hard = {}, scopes = [], scopeSelector } = spec
  yield* validateAmounts('spec.hard', hard)
  for (const [name, amount] of Object.entries(hard)) {
    const read = readAmount(amount)
    if (!standard.test(name) && !name.includes('/') && !name.includes('.storageclass.storage.k8s.io'))
      yield wrong(`spec.hard[${name}]`, name, 'must be a standard resource for quota (such as pods, requests.cpu, limits.memory, count/deployments.apps)')
    if (counted.test(name) && typeof read === 'bigint' && read % 1000n !== 0n) yield wrong(`spec.hard[${name}]`, amount, 'must be an integer')
  }
  for (const [one, other] of opposites)
    if ((scopes as readonly string[]).includes(one) && (scopes as readonly string[]).includes(other)) yield wrong('spec.scopes', scopes, 'conflicting scopes')
  for (const [i, { scopeName, operator, values = [] }] of (scopeSelector?.matchExpressions ?? []).entries()) {
    const at = `spec.scopeSelector.matchExpressions[${i}]`
    if (scopeName !== 'PriorityClass' && scopeName !== 'VolumeAttributesClass' && operator !== 'Exists') yield unsupported(`${at}.operator`, operator, ['Exists'])
    const listed = operator === 'In' || operator === 'NotIn'
    if (listed && values.length === 0) yield required(`${at}.values`, "must be given where `operator` is 'In' or 'NotIn'")
    if (!listed && values.length > 0) yield wrong(`${at}.values`, values, "may not be given where `operator` is 'Exists' or 'DoesNotExist'")
  }
}

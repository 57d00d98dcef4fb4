import { describe } from 'vitest'
import { faultTable } from '../../../test/kit/faults.ts'
import * as kit from '../../../test/kit/kinds.ts'

describe('a limit range', () => {
  const limit = (part: object): object => ({ spec: { limits: [{ type: 'Container', ...part }] } })
  faultTable('limitranges', kit.limitRange, [
    ['plain', {}],
    ['the least more than the most', limit({ min: { cpu: '2' }, max: { cpu: '1500m' } }), 'spec.limits[0].min[cpu]: Invalid value: "2": must be less than or equal to `max`, which is 1500m', 'spec.limits[0].min[cpu]: ', 'spec.limits[0].min[cpu]: '],
    ['a default beyond the most', limit({ default: { cpu: '3' }, max: { cpu: '2' }, defaultRequest: { cpu: '1' } }), 'spec.limits[0].default[cpu]: Invalid value: "3": must be less than or equal to `max`'],
    ['a request beyond the default', limit({ default: { cpu: '1' }, defaultRequest: { cpu: '2' } }), 'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": must be less than or equal to `default`'],
    ['a type twice', { spec: { limits: [{ type: 'Pod' }, { type: 'Pod' }] } }, 'spec.limits[1].type: Duplicate value: "Pod"'],
    ['defaults of pods', limit({ type: 'Pod', default: { cpu: '1' } }), 'spec.limits[0].default: Forbidden'],
    ['claims without a size', limit({ type: 'PersistentVolumeClaim' }), 'spec.limits[0].min[storage]: Required value'],
    ['a ratio below one', limit({ maxLimitRequestRatio: { cpu: '500m' } }), 'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m"'],
    ['less than nothing', limit({ type: 'Pod', min: { cpu: '-1' } }), 'spec.limits[0].min[cpu]: Invalid value: "-1"'],
  ])
})

describe('a quota', () => {
  const hard = (amounts: object): object => ({ spec: { hard: amounts } })
  const scope = (part: object): object => ({ spec: { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', ...part }] } } })
  faultTable('resourcequotas', kit.resourceQuota, [
    ['plain', {}],
    ['of many things', hard({ 'count/deployments.apps': '3', 'requests.nvidia.com/gpu': '1', 'gold.storageclass.storage.k8s.io/requests.storage': '1Gi', 'services.nodeports': '0' })],
    ['of nothing known', hard({ pod: '1' }), 'spec.hard[pod]: Invalid value: "pod": must be a standard resource for quota'],
    ['of half a pod', hard({ pods: '1500m' }), 'spec.hard[pods]: Invalid value: "1500m": must be an integer'],
    ['of less than nothing', hard({ cpu: '-1' }), 'spec.hard[cpu]: Invalid value: "-1"'],
    ['for all and for none', { spec: { scopes: ['BestEffort', 'NotBestEffort'] } }, 'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
    ['for a priority', scope({ values: ['high'] })],
    ['for no priority', scope({}), 'spec.scopeSelector.matchExpressions[0].values: Required value'],
    ['by words of another scope', scope({ scopeName: 'Terminating', values: ['x'] }), 'spec.scopeSelector.matchExpressions[0].operator: Unsupported value: "In"'],
  ])
})

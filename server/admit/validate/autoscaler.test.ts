import { describe } from 'vitest'
import { faultTable } from '../../../test/kit/faults.ts'
import * as kit from '../../../test/kit/kinds.ts'

const metric = (part: object): object => ({ metrics: [part] })
const at = 'spec.metrics[0]'
const rules = (part: object): object => ({ behavior: { scaleUp: part } })

describe('an autoscaler', () => {
  faultTable('horizontalpodautoscalers.autoscaling', (spec) => kit.autoscaler({ spec }), [
    ['plain', {}],
    ['without metrics', { metrics: undefined }],
    ['the least more than the most', { minReplicas: 4 }, 'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
    ['at most none', { maxReplicas: 0 }, 'spec.maxReplicas: Invalid value: 0: must be greater than 0', 'spec.maxReplicas: Invalid value: 0'],
    ['none by CPU', { minReplicas: 0 }, 'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1, unless'],
    ['none by a queue', { minReplicas: 0, ...metric({ type: 'External', external: { metric: { name: 'queue' }, target: { type: 'Value', value: 5 } } }) }],
    ['of nothing', { scaleTargetRef: { kind: '', name: '' } }, 'spec.scaleTargetRef.kind: Required value', 'spec.scaleTargetRef.name: Required value'],
    ['by another type', metric({ type: 'Mood' }), `${at}.type: Unsupported value: "Mood"`],
    ['by a type without its source', metric({ type: 'Pods' }), `${at}.pods: Required value`],
    ['by another source', metric({ type: 'Resource', pods: { metric: { name: 'x' }, target: { type: 'AverageValue', averageValue: 1 } } }), `${at}.pods: Forbidden`, `${at}.resource: Required value`],
    ['to a target of another type', metric({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Value', value: 1 } } }), `${at}.resource.target.type: Unsupported value: "Value"`],
    ['to no target', metric({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization' } } }), `${at}.resource.target.averageUtilization: Required value`],
    ['to nothing', metric({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 0 } } }), `${at}.resource.target.averageUtilization: Invalid value: 0: must be positive`],
    ['of an object of no name', metric({ type: 'Object', object: { describedObject: { kind: 'Service', name: 'a/b' }, metric: { name: 'x' }, target: { type: 'Value', value: 1 } } }), `${at}.object.describedObject.name: Invalid value: "a/b"`],
    ['in steps', rules({ stabilizationWindowSeconds: 60, selectPolicy: 'Min', policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] })],
    ['in steps that are none', rules({ policies: [{ type: 'Pods', value: 0, periodSeconds: 1801 }] }), 'spec.behavior.scaleUp.policies[0].value: Invalid value: 0', 'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801'],
    ['after too long', rules({ stabilizationWindowSeconds: 3601 }), 'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601'],
    ['by no rule', rules({ policies: [] }), 'spec.behavior.scaleUp.policies: Required value'],
  ])
})

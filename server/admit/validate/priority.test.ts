import { describe } from 'vitest'
import { faultTable } from '../../../test/kit/faults.ts'
import * as kit from '../../../test/kit/kinds.ts'

describe('a priority class', () => {
  faultTable('priorityclasses.scheduling.k8s.io', kit.priorityClass, [
    ['plain', {}],
    ['of a billion', { value: 1_000_000_000 }],
    ['of more', { value: 1_000_000_001 }, 'value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
    ['below zero', { value: -5 }],
    ['by a name of the system', { metadata: { name: 'system-mine' } }, "metadata.name: Forbidden: names that begin with 'system-'"],
    ['of the system', { metadata: { name: 'system-node-critical' }, value: 2_000_001_000 }],
    ['of the system with another value', { metadata: { name: 'system-node-critical' }, value: 1 }, 'metadata.name: Forbidden: the value of system-node-critical is 2000001000'],
    ['that preempts somehow', { preemptionPolicy: 'Always' }, 'preemptionPolicy: Unsupported value: "Always"'],
  ])
})

describe('a disruption budget', () => {
  faultTable('poddisruptionbudgets.policy', (spec) => kit.budget({ spec }), [
    ['plain', {}],
    ['in percent', { minAvailable: '50%' }],
    ['of nothing', { minAvailable: undefined }],
    ['both ways', { maxUnavailable: 1 }, 'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: `minAvailable` and `maxUnavailable` cannot be both set'],
    ['of more than all', { minAvailable: '101%' }, 'spec.minAvailable: Invalid value: "101%": must not be greater than 100%'],
    ['of less than nothing', { minAvailable: -1 }, 'spec.minAvailable: Invalid value: -1'],
    ['of something else', { minAvailable: 'half' }, 'spec.minAvailable: Invalid value: "half": must be a whole number or a percentage'],
  ])
})

import { describe } from 'vitest'
import { faultTable } from '../../../test/kit/faults.ts'
import * as kit from '../../../test/kit/kinds.ts'

describe('a volume', () => {
  faultTable('persistentvolumes', (spec) => kit.persistentVolume({ spec }), [
    ['plain', {}],
    ['of no size', { capacity: undefined }, 'spec.capacity[storage]: Required value'],
    ['of size zero', { capacity: { storage: '0' } }, 'spec.capacity[storage]: Invalid value: "0": must be greater than 0'],
    ['of a size that is none', { capacity: { storage: 'much' } }, 'spec.capacity[storage]: Invalid value: "much": must be a number'],
    ['for nobody', { accessModes: undefined }, 'spec.accessModes: Required value'],
    ['for one pod and others', { accessModes: ['ReadWriteOncePod', 'ReadOnlyMany'] }, 'spec.accessModes: Forbidden: may not use ReadWriteOncePod'],
    ['nowhere', { hostPath: undefined }, 'spec: Required value: must specify a volume type'],
    ['in two places', { nfs: { server: 'a', path: '/' } }, 'spec.nfs: Forbidden: may not specify more than 1 volume type'],
    ['above the host', { hostPath: { path: '/a/../b' } }, "spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"],
    ['the whole host, emptied', { hostPath: { path: '/' }, persistentVolumeReclaimPolicy: 'Recycle' }, 'spec.persistentVolumeReclaimPolicy: Forbidden'],
    ['on some node', { hostPath: undefined, local: { path: '/d' } }, 'spec.nodeAffinity: Required value'],
    ['of another class', { storageClassName: 'Fast' }, 'spec.storageClassName: Invalid value: "Fast"'],
  ])
})

describe('a claim', () => {
  faultTable('persistentvolumeclaims', (spec) => kit.persistentVolumeClaim({ spec }), [
    ['plain', {}],
    ['without a class', { storageClassName: '' }],
    ['limits are requests', { resources: { limits: { storage: '2Gi' }, requests: undefined } }],
    ['of nothing', { resources: undefined }, 'spec.resources[storage]: Required value'],
    ['in another mode', { accessModes: ['ReadSometimes'] }, 'spec.accessModes[0]: Unsupported value: "ReadSometimes"'],
    ['by labels that are none', { selector: { matchLabels: { 'a b': 'c' } } }, 'spec.selector.matchLabels: Invalid value: "a b"'],
  ])
})

describe('a storage class', () => {
  const topology = (...values: string[]): object => ({ allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values }] }] })
  faultTable('storageclasses.storage.k8s.io', kit.storageClass, [
    ['plain', {}],
    ['of nobody', { provisioner: '' }, 'provisioner: Required value'],
    ['of somebody odd', { provisioner: 'a b' }, 'provisioner: Invalid value: "a b"'],
    ['in another mode', { volumeBindingMode: 'Later' }, 'volumeBindingMode: Unsupported value: "Later"'],
    ['in some zones', topology('a', 'b')],
    ['in a zone twice', topology('a', 'a'), 'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"'],
    ['in no zone', topology(), 'allowedTopologies[0].matchLabelExpressions[0].values: Required value'],
    ['with too many parameters', { parameters: Object.fromEntries(Array.from({ length: 513 }, (_, i) => [`p${i}`, ''])) }, 'parameters: Invalid value: 513'],
  ])
})

import { describe } from 'vitest'
import { faultTable } from '../../../test/kit/faults.ts'
import * as kit from '../../../test/kit/kinds.ts'

const empty = 'must not be empty: it would select every pod of the namespace'

describe('a replication controller', () => {
  faultTable('replicationcontrollers', (spec) => kit.replicationController({ spec }), [
    ['plain', {}],
    ['the labels of the template are its selector', { selector: undefined }],
    ['a selector that does not match', { selector: { app: 'db' } }, 'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match'],
    ['no selector at all', { selector: undefined, template: { metadata: { labels: undefined } } }, 'spec.selector: Required value'],
    ['no template', { template: undefined }, 'spec.template: Required value'],
    ['less than none', { replicas: -1 }, 'spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    ['pods that end', { template: { spec: { restartPolicy: 'Never' } } }, 'spec.template.spec.restartPolicy: Unsupported value: "Never"'],
  ])
})

describe('a daemon set', () => {
  const rolling = (rollingUpdate: object): object => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } })
  const at = 'spec.updateStrategy.rollingUpdate'
  faultTable('daemonsets.apps', (spec) => kit.daemonSet({ spec }), [
    ['plain', {}],
    ['on delete', { updateStrategy: { type: 'OnDelete' } }],
    ['another strategy', { updateStrategy: { type: 'Recreate' } }, 'spec.updateStrategy.type: Unsupported value: "Recreate"'],
    ['one more instead of one less', rolling({ maxSurge: 1, maxUnavailable: 0 })],
    ['neither', rolling({ maxUnavailable: 0 }), `${at}.maxUnavailable: Invalid value: 0: may not be 0 when`],
    ['both', rolling({ maxSurge: 1 }), `${at}.maxSurge: Invalid value: 1: may not be given where`],
    ['more than all', rolling({ maxUnavailable: '101%' }), `${at}.maxUnavailable: Invalid value: "101%": must not be greater than 100%`],
    ['an empty selector', { selector: { matchLabels: undefined } }, `spec.selector: Invalid value: {}: ${empty}`],
  ])
})

describe('a stateful set', () => {
  const claim = { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }
  const mounted = { template: { spec: { containers: [{ name: 'a', image: 'b', volumeMounts: [{ name: 'data', mountPath: '/d' }] }] } } }
  const rolling = (rollingUpdate: object): object => ({ updateStrategy: { rollingUpdate } })
  faultTable('statefulsets.apps', (spec) => kit.statefulSet({ spec }), [
    ['plain', {}],
    ['without a service', { serviceName: undefined }],
    ['a claim, mounted', { ...mounted, volumeClaimTemplates: [claim] }],
    ['a claim that is not there, mounted', mounted, 'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"'],
    ['a claim without a name', { volumeClaimTemplates: [{ spec: claim.spec }] }, 'spec.volumeClaimTemplates[0].metadata.name: Required value'],
    ['a claim of nothing', { volumeClaimTemplates: [{ ...claim, spec: { accessModes: ['ReadWriteOnce'] } }] }, 'spec.volumeClaimTemplates[0].spec.resources[storage]: Required value'],
    ['a claim in the wrong words', { volumeClaimTemplates: [{ ...claim, spec: { accessModes: 'x' } }] }, 'spec.volumeClaimTemplates[0].spec.accessModes: Invalid value: "x": must be a list'],
    ['a partition', rolling({ partition: 2 })],
    ['less than no partition', rolling({ partition: -1 }), 'spec.updateStrategy.rollingUpdate.partition: Invalid value: -1'],
    ['nothing may be missing', rolling({ maxUnavailable: 0 }), 'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: must not be 0'],
    ['rolling numbers on delete', { updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } }, 'spec.updateStrategy.rollingUpdate: Invalid value'],
    ['another order', { podManagementPolicy: 'Any' }, 'spec.podManagementPolicy: Unsupported value: "Any"'],
    ['another service', { serviceName: 'Web' }, 'spec.serviceName: Invalid value: "Web"'],
  ])
})

describe('templates and revisions', () => {
  faultTable('podtemplates', kit.podTemplate, [
    ['plain', {}],
    ['of nothing', { template: undefined }, 'template: Required value'],
    ['of a pod that is wrong', { template: { spec: { containers: [] } } }, 'template.spec.containers: Required value'],
    ['with labels that are none', { template: { metadata: { labels: { a: 'b c' } } } }, 'template.metadata.labels: Invalid value: "b c"'],
  ])
  faultTable('controllerrevisions.apps', kit.controllerRevision, [
    ['any data', { data: { deep: { er: [1] } } }],
    ['no data', { data: undefined }, 'data: Required value'],
    ['less than zero', { revision: -1 }, 'revision: Invalid value: -1'],
  ])
})

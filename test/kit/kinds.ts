/** Builders of drafts, as in `objects.ts`, of the kinds that the hub keeps for others to act on. */
import type {
  ControllerRevision,
  CronJob,
  DaemonSet,
  HorizontalPodAutoscaler,
  Ingress,
  IngressClass,
  Job,
  LimitRange,
  NetworkPolicy,
  PersistentVolume,
  PersistentVolumeClaim,
  PodDisruptionBudget,
  PodTemplate,
  PriorityClass,
  ReplicationController,
  ResourceQuota,
  StatefulSet,
  StorageClass,
} from '../../api/objects.ts'
import { builder } from './objects.ts'

const inDefault = { name: 'x', namespace: 'default' }
const labels = { app: 'web' }
const selector = { matchLabels: labels }
const container = { name: 'web', image: 'registry.test/web:1' }
const template = { metadata: { labels }, spec: { containers: [container] } }
const once = { spec: { containers: [container], restartPolicy: 'Never' } }

export const replicationController = builder<ReplicationController>({
  apiVersion: 'v1',
  kind: 'ReplicationController',
  metadata: inDefault,
  spec: { selector: labels, template },
})
export const podTemplate = builder<PodTemplate>({ apiVersion: 'v1', kind: 'PodTemplate', metadata: inDefault, template })
export const limitRange = builder<LimitRange>({
  apiVersion: 'v1',
  kind: 'LimitRange',
  metadata: inDefault,
  spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { cpu: '100m' } }] },
})
export const resourceQuota = builder<ResourceQuota>({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: inDefault,
  spec: { hard: { pods: '10', 'requests.cpu': '4', 'limits.memory': '8Gi' } },
})
export const persistentVolume = builder<PersistentVolume>({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'x' },
  spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' } },
})
export const persistentVolumeClaim = builder<PersistentVolumeClaim>({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: inDefault,
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
})
export const daemonSet = builder<DaemonSet>({ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: inDefault, spec: { selector, template } })
export const statefulSet = builder<StatefulSet>({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: inDefault,
  spec: { serviceName: 'web', selector, template },
})
export const controllerRevision = builder<ControllerRevision>({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: inDefault,
  revision: 1,
  data: { spec: { any: ['thing'] } },
})
export const job = builder<Job>({ apiVersion: 'batch/v1', kind: 'Job', metadata: inDefault, spec: { template: once } })
export const cronJob = builder<CronJob>({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: inDefault,
  spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: once } } },
})
export const budget = builder<PodDisruptionBudget>({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: inDefault,
  spec: { minAvailable: 1, selector },
})
export const priorityClass = builder<PriorityClass>({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'x' }, value: 10 })
export const autoscaler = builder<HorizontalPodAutoscaler>({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: inDefault,
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    maxReplicas: 3,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
  },
})
export const ingress = builder<Ingress>({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: inDefault,
  spec: {
    rules: [{ host: 'a.test', http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] } }],
  },
})
export const ingressClass = builder<IngressClass>({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'x' },
  spec: { controller: 'example.test/ingress' },
})
export const networkPolicy = builder<NetworkPolicy>({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: inDefault,
  spec: { podSelector: selector, ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }] },
})
export const storageClass = builder<StorageClass>({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'x' },
  provisioner: 'example.test/disk',
})

/** A draft of each of them. */
export const drafts = [
  replicationController(),
  podTemplate(),
  limitRange(),
  resourceQuota(),
  persistentVolume(),
  persistentVolumeClaim(),
  daemonSet(),
  statefulSet(),
  controllerRevision(),
  job(),
  cronJob(),
  budget(),
  priorityClass(),
  autoscaler(),
  ingress(),
  ingressClass(),
  networkPolicy(),
  storageClass(),
] as const

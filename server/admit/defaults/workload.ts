/** What kube-apiserver fills into the kinds that make pods (apps/v1, batch/v1, core/v1 ReplicationController, PodTemplate). */
import type {
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  PodTemplate,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../../../api/objects.ts'
import { fill } from './fill.ts'
import { podTemplateDefaults } from './pod.ts'
import { claimDefaults } from './volume.ts'

export function templateDefaults(template: PodTemplateSpec): PodTemplateSpec {
  return template.spec ? { ...template, spec: podTemplateDefaults(template.spec) } : template
}

export function podTemplateKindDefaults(object: PodTemplate): PodTemplate {
  return object.template ? { ...object, template: templateDefaults(object.template) } : object
}

/** Where a controller says of itself nothing, its template speaks for it. */
export function replicationControllerDefaults(rc: ReplicationController): ReplicationController {
  if (!rc.spec) return rc
  const { template } = rc.spec
  const labels = template?.metadata?.labels
  const own = labels && Object.keys(labels).length > 0 ? labels : undefined
  const some = (words: Readonly<Record<string, string>> | undefined): boolean => Object.keys(words ?? {}).length > 0
  return {
    ...rc,
    ...(own && !some(rc.metadata.labels) && { metadata: { ...rc.metadata, labels: own } }),
    spec: fill(
      {
        ...rc.spec,
        ...(template && { template: templateDefaults(template) }),
        ...(own && !some(rc.spec.selector) && { selector: own }),
      },
      { replicas: 1 },
    ),
  }
}

export function replicaSetDefaults(rs: ReplicaSet): ReplicaSet {
  if (!rs.spec) return rs
  const { template } = rs.spec
  return { ...rs, spec: fill({ ...rs.spec, ...(template && { template: templateDefaults(template) }) }, { replicas: 1 }) }
}

export function deploymentDefaults(deployment: Deployment): Deployment {
  if (!deployment.spec) return deployment
  const { template, strategy } = deployment.spec
  const type = strategy?.type ?? 'RollingUpdate'
  const rolling = fill(strategy?.rollingUpdate ?? {}, { maxSurge: '25%', maxUnavailable: '25%' })
  const filled = { ...strategy, type, ...(type === 'RollingUpdate' && { rollingUpdate: rolling }) }
  const spec = { ...deployment.spec, template: templateDefaults(template), strategy: filled }
  return { ...deployment, spec: fill(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 }) }
}

export function daemonSetDefaults(set: DaemonSet): DaemonSet {
  if (!set.spec) return set
  const { template, updateStrategy } = set.spec
  const type = updateStrategy?.type ?? 'RollingUpdate'
  const rolling = fill(updateStrategy?.rollingUpdate ?? {}, { maxSurge: 0, maxUnavailable: 1 })
  const filled = { ...updateStrategy, type, ...(type === 'RollingUpdate' && { rollingUpdate: rolling }) }
  const spec = { ...set.spec, template: templateDefaults(template), updateStrategy: filled }
  return { ...set, spec: fill(spec, { revisionHistoryLimit: 10 }) }
}

export function statefulSetDefaults(set: StatefulSet): StatefulSet {
  if (!set.spec) return set
  const { template, updateStrategy, volumeClaimTemplates, persistentVolumeClaimRetentionPolicy } = set.spec
  const type = updateStrategy?.type ?? 'RollingUpdate'
  const rolling = fill(updateStrategy?.rollingUpdate ?? {}, { partition: 0 })
  const filled = { ...updateStrategy, type, ...(type === 'RollingUpdate' && { rollingUpdate: rolling }) }
  const spec = {
    ...set.spec,
    template: templateDefaults(template),
    updateStrategy: filled,
    persistentVolumeClaimRetentionPolicy: fill(persistentVolumeClaimRetentionPolicy ?? {}, { whenDeleted: 'Retain', whenScaled: 'Retain' }),
    ...(volumeClaimTemplates && { volumeClaimTemplates: volumeClaimTemplates.map(claimTemplateDefaults) }),
  }
  return { ...set, spec: fill(spec, { podManagementPolicy: 'OrderedReady', replicas: 1, revisionHistoryLimit: 10 }) }
}

type ClaimTemplate = NonNullable<NonNullable<StatefulSet['spec']>['volumeClaimTemplates']>[number]

/** An object within an object: it says its kind when it is read back. */
function claimTemplateDefaults(claim: ClaimTemplate): ClaimTemplate {
  const spec = claim.spec && claimDefaults(claim.spec)
  const typed = { ...claim, apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...(spec && { spec }) } as const
  return { ...typed, status: fill(claim.status ?? {}, { phase: 'Pending' }) }
}

type JobSpec = NonNullable<Job['spec']>

/** Labels of the pods of a job; the older names are read by older clients. */
const jobLabels = { uid: ['batch.kubernetes.io/controller-uid', 'controller-uid'], name: ['batch.kubernetes.io/job-name', 'job-name'] } as const

export function jobDefaults(job: Job): Job {
  if (!job.spec) return job
  const spec = jobSpecDefaults(job.spec)
  const { uid, name } = job.metadata
  // A job finds its pods by its own uid, unless its user wants to say how.
  if (spec.manualSelector || !uid || spec.selector) return { ...job, spec }
  const words = Object.fromEntries([...jobLabels.uid.map((label) => [label, uid]), ...jobLabels.name.map((label) => [label, name])])
  const { metadata } = spec.template
  const template = { ...spec.template, metadata: { ...metadata, labels: { ...metadata?.labels, ...words } } }
  return { ...job, spec: { ...spec, selector: { matchLabels: { [jobLabels.uid[0]]: uid } }, template } }
}

/** One pod once, unless something else is said; a job without completions is done when one of its pods says so. */
function jobSpecDefaults(spec: JobSpec): JobSpec {
  const alone = spec.completions === undefined && spec.parallelism === undefined
  return fill(
    { ...spec, template: templateDefaults(spec.template) },
    {
      ...(alone && { completions: 1 }),
      parallelism: 1,
      backoffLimit: spec.backoffLimitPerIndex === undefined ? 6 : 2147483647,
      completionMode: 'NonIndexed',
      suspend: false,
      manualSelector: false,
      podReplacementPolicy: spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed',
    },
  )
}

export function cronJobDefaults(cron: CronJob): CronJob {
  if (!cron.spec) return cron
  const { jobTemplate } = cron.spec
  const { spec } = jobTemplate
  const filled = { ...jobTemplate, ...(spec && { spec: { ...spec, template: templateDefaults(spec.template) } }) }
  return {
    ...cron,
    spec: fill(
      { ...cron.spec, jobTemplate: filled },
      { concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
    ),
  }
}

/** Checks of batch/v1 Job and CronJob. */
import type { CronJob, Job } from '../../../api/objects.ts'
import { matchesSelector } from '../../../api/selectors.ts'
import { forbidden, required, unsupported, wrong, type Causes } from '../causes.ts'
import { atLeastZero } from './amounts.ts'
import { labelKeyProblem } from '../../../api/labels.ts'
import { scheduleProblem } from './schedule.ts'
import { text, validateAnnotations, validateLabels, validateSelector } from './meta.ts'
import { validateTemplate } from './template.ts'

type JobSpec = NonNullable<Job['spec']>

/** Pods that are told apart by an index have it in their names, and there are no more of them than fit into lists of indexes. */
const maxIndexes = 100_000

export function* validateJob({ metadata, spec }: Job): Causes {
  if (!spec) return yield required('spec')
  yield* validateJobSpec('spec', spec)
  const { selector, manualSelector, template } = spec
  if (!selector) {
    if (manualSelector) yield required('spec.selector', 'must be given where `manualSelector` is true')
    return
  }
  yield* validateSelector('spec.selector', selector)
  const uid = selector.matchLabels?.['batch.kubernetes.io/controller-uid'] ?? selector.matchLabels?.['controller-uid']
  if (!manualSelector && metadata.uid && uid !== metadata.uid)
    yield wrong('spec.selector', selector, '`selector` is made by the server: leave it out, or set `manualSelector` to true')
  if (!matchesSelector(selector, template.metadata?.labels))
    yield wrong('spec.template.metadata.labels', template.metadata?.labels ?? {}, '`selector` does not match template `labels`')
}

function* validateJobSpec(field: string, spec: JobSpec): Causes {
  const { completions, parallelism = 1, completionMode, backoffLimitPerIndex, maxFailedIndexes, managedBy, podFailurePolicy } = spec
  yield* atLeastZero(field, spec, [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
    'ttlSecondsAfterFinished',
  ])
  if (completionMode === 'Indexed') {
    if (completions === undefined) yield required(`${field}.completions`, "must be given where `completionMode` is 'Indexed'")
    if (parallelism > maxIndexes) yield wrong(`${field}.parallelism`, parallelism, `must not be greater than ${maxIndexes} where \`completionMode\` is 'Indexed'`)
  } else {
    for (const [name, value] of Object.entries({ backoffLimitPerIndex, maxFailedIndexes, successPolicy: spec.successPolicy }))
      if (value !== undefined) yield wrong(`${field}.${name}`, value, "requires `completionMode` 'Indexed'")
  }
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined)
    yield required(`${field}.backoffLimitPerIndex`, 'must be given where `maxFailedIndexes` is')
  if (maxFailedIndexes !== undefined && completions !== undefined && maxFailedIndexes > completions)
    yield wrong(`${field}.maxFailedIndexes`, maxFailedIndexes, 'must not be greater than `completions`')
  if (managedBy !== undefined) yield* text(`${field}.managedBy`, managedBy, (name) => (name.includes('/') ? labelKeyProblem(name) : 'must be a name with a domain and a path (such as example.com/controller)'))
  yield* validateTemplate(`${field}.template`, spec.template, ['OnFailure', 'Never'])
  if (podFailurePolicy && spec.template.spec?.restartPolicy !== 'Never')
    yield wrong(`${field}.template.spec.restartPolicy`, spec.template.spec?.restartPolicy, "must be 'Never' where `podFailurePolicy` is given")
  for (const [i, rule] of (podFailurePolicy?.rules ?? []).entries()) yield* validateFailureRule(`${field}.podFailurePolicy.rules[${i}]`, rule, spec)
}

type FailureRule = NonNullable<JobSpec['podFailurePolicy']>['rules'][number]

function* validateFailureRule(field: string, { action, onExitCodes, onPodConditions }: FailureRule, spec: JobSpec): Causes {
  if ((onExitCodes === undefined) === (onPodConditions === undefined || onPodConditions.length === 0))
    yield wrong(field, action, 'must have exactly one of `onExitCodes`, `onPodConditions`')
  if (action === 'FailIndex' && spec.backoffLimitPerIndex === undefined)
    yield wrong(`${field}.action`, action, 'requires `backoffLimitPerIndex`')
  if (!onExitCodes) return
  const { values, operator, containerName } = onExitCodes
  if (values.length === 0) yield required(`${field}.onExitCodes.values`, 'must have at least one exit code')
  if (operator === 'In' && values.includes(0)) yield wrong(`${field}.onExitCodes.values`, values, "must not have 0 where `operator` is 'In': it is no failure")
  const names = [...(spec.template.spec?.containers ?? []), ...(spec.template.spec?.initContainers ?? [])].map((c) => c.name)
  if (containerName && !names.includes(containerName)) yield wrong(`${field}.onExitCodes.containerName`, containerName, 'must name a container of the template')
}

/** So long that the names of its jobs, which end with their time, are names as well. */
const maxCronName = 52

export function* validateCronJob({ metadata, spec }: CronJob): Causes {
  if (metadata.name.length > maxCronName)
    yield wrong('metadata.name', metadata.name, `must be no more than ${maxCronName} characters: its jobs are named after it`)
  if (!spec) return yield required('spec')
  const problem = spec.schedule === '' ? undefined : scheduleProblem(spec.schedule)
  if (spec.schedule === '') yield required('spec.schedule')
  else if (problem) yield wrong('spec.schedule', spec.schedule, problem)
  if (spec.timeZone !== undefined && !isTimeZone(spec.timeZone))
    yield wrong('spec.timeZone', spec.timeZone, "must be the name of a time zone of the IANA database (such as 'Europe/Berlin')")
  yield* atLeastZero('spec', spec, ['startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit'])
  const { metadata: meta, spec: job } = spec.jobTemplate
  yield* validateLabels('spec.jobTemplate.metadata.labels', meta?.labels)
  yield* validateAnnotations('spec.jobTemplate.metadata.annotations', meta?.annotations)
  if (!job) return yield required('spec.jobTemplate.spec')
  yield* validateJobSpec('spec.jobTemplate.spec', job)
  if (job.manualSelector) yield unsupported('spec.jobTemplate.spec.manualSelector', true, ['false'])
  if (job.selector) yield forbidden('spec.jobTemplate.spec.selector', '`selector` is made by the server, for each job its own')
}

function isTimeZone(name: string): boolean {
  if (name === '' || name.toLowerCase() === 'local') return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** The columns of jobs and cron jobs. */
import type { CronJob, Job } from '../../../api/objects.ts'
import { ageText, durationText } from './age.ts'
import { ageColumn, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'
import { contents, selectorOf } from './workloads.ts'

function statusOf({ metadata, status, spec }: Job): string {
  const is = (type: string): boolean => status?.conditions?.some((c) => c.type === type && c.status === 'True') ?? false
  if (is('Complete')) return 'Complete'
  if (is('Failed')) return 'Failed'
  if (metadata.deletionTimestamp) return 'Terminating'
  if (is('Suspended') || spec?.suspend) return 'Suspended'
  if (is('FailureTarget')) return 'FailureTarget'
  if (is('SuccessCriteriaMet')) return 'SuccessCriteriaMet'
  return 'Running'
}

/** Of a job without a number of completions, one is enough. */
function completionsOf({ spec, status }: Job): string {
  const done = status?.succeeded ?? 0
  if (spec?.completions !== undefined) return `${done}/${spec.completions}`
  const { parallelism = 0 } = spec ?? {}
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`
}

function durationOf({ status }: Job, now: number): string {
  if (!status?.startTime) return ''
  return durationText((status.completionTime ? Date.parse(status.completionTime) : now) - Date.parse(status.startTime))
}

export const jobColumns: readonly Column<Job>[] = [
  nameColumn,
  { name: 'Status', description: 'Running, Suspended, Complete or Failed.', cell: statusOf },
  { name: 'Completions', description: 'Pods that ended well, of those that must.', cell: completionsOf },
  { name: 'Duration', description: 'Time from start to end, or until now.', cell: durationOf },
  ageColumn,
  ...contents<Job>((job) => job.spec?.template),
  { name: 'Selector', priority: 1, description: 'Labels of the pods that belong to it.', cell: (job) => selectorOf(job.spec) },
]

export const cronJobColumns: readonly Column<CronJob>[] = [
  nameColumn,
  { name: 'Schedule', description: 'When a job is started.', cell: (c) => c.spec?.schedule ?? '' },
  { name: 'Timezone', description: 'Time zone of the schedule.', cell: (c) => c.spec?.timeZone ?? '<none>' },
  { name: 'Suspend', type: 'boolean', description: 'Whether no more jobs are started.', cell: (c) => c.spec?.suspend ?? false },
  { name: 'Active', type: 'integer', description: 'Jobs that run.', cell: (c) => c.status?.active?.length ?? 0 },
  {
    name: 'Last Schedule',
    description: 'Time since a job was started.',
    cell: (c, now) => (c.status?.lastScheduleTime ? ageText(c.status.lastScheduleTime, now) : '<none>'),
  },
  ageColumn,
  ...contents<CronJob>((c) => c.spec?.jobTemplate.spec?.template),
  { name: 'Selector', priority: 1, description: 'Labels of the pods that belong to its jobs.', cell: (c) => selectorOf(c.spec?.jobTemplate.spec) },
]

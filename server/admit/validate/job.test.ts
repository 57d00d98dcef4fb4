import { describe, expect, test } from 'vitest'
import { faultTable } from '../../../test/kit/faults.ts'
import * as kit from '../../../test/kit/kinds.ts'
import { scheduleProblem } from './schedule.ts'

describe('a job', () => {
  const failure = (rule: object): object => ({ podFailurePolicy: { rules: [{ action: 'FailJob', ...rule }] } })
  const at = 'spec.podFailurePolicy.rules[0]'
  faultTable('jobs.batch', (spec) => kit.job({ spec }), [
    ['plain', {}],
    ['of many at a time', { parallelism: 5, completions: 20 }],
    ['pods that begin again', { template: { spec: { restartPolicy: 'Always' } } }, 'spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "OnFailure", "Never"'],
    ['no policy, which means that', { template: { spec: { restartPolicy: undefined } } }, 'spec.template.spec.restartPolicy: Unsupported value: "Always"'],
    ['counts below zero', { parallelism: -1, completions: -2, backoffLimit: -3 }, 'spec.parallelism: ', 'spec.completions: ', 'spec.backoffLimit: '],
    ['indexed', { completionMode: 'Indexed', completions: 3, backoffLimitPerIndex: 1, maxFailedIndexes: 2 }],
    ['indexed without a number', { completionMode: 'Indexed', parallelism: 2 }, 'spec.completions: Required value'],
    ['index limits without indexes', { backoffLimitPerIndex: 1 }, "spec.backoffLimitPerIndex: Invalid value: 1: requires `completionMode` 'Indexed'"],
    ["a selector of one's own", { manualSelector: true, selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } } } }],
    ['a selector that does not match', { manualSelector: true, selector: { matchLabels: { a: 'b' } } }, 'spec.template.metadata.labels: Invalid value'],
    ["no selector of one's own", { manualSelector: true }, 'spec.selector: Required value'],
    ['managed elsewhere', { managedBy: 'example.com/controller' }],
    ['managed by nobody', { managedBy: 'controller' }, 'spec.managedBy: Invalid value: "controller"'],
    ['a failure by exit code', failure({ onExitCodes: { operator: 'In', values: [1, 2], containerName: 'web' } })],
    ['a failure that is none', failure({ onExitCodes: { operator: 'In', values: [0] } }), `${at}.onExitCodes.values: Invalid value: [0]`],
    ['a failure of nobody', failure({ onExitCodes: { operator: 'In', values: [1], containerName: 'db' } }), `${at}.onExitCodes.containerName: Invalid value: "db"`],
    ['a failure without a reason', failure({}), `${at}: Invalid value: "FailJob": must have exactly one of`],
    ['a failure of an index', failure({ action: 'FailIndex', onExitCodes: { operator: 'In', values: [1] } }), `${at}.action: Invalid value: "FailIndex"`],
  ])
})

describe('a cron job', () => {
  const job = (spec: object): object => ({ jobTemplate: { spec } })
  faultTable('cronjobs.batch', (part) => kit.cronJob(part), [
    ['plain', {}],
    ['a name of 52', { metadata: { name: 'a'.repeat(52) } }],
    ['a name of 53', { metadata: { name: 'a'.repeat(53) } }, 'metadata.name: Invalid value: "aaaaa'],
    ['no schedule', { spec: { schedule: '' } }, 'spec.schedule: Required value'],
    ['a schedule in another place', { spec: { schedule: 'TZ=UTC * * * * *' } }, 'spec.schedule: Invalid value: "TZ=UTC * * * * *": must not have a time zone'],
    ['a time zone', { spec: { timeZone: 'Europe/Berlin' } }],
    ['no such time zone', { spec: { timeZone: 'Mars/Olympus' } }, 'spec.timeZone: Invalid value: "Mars/Olympus"'],
    ['the time zone of the hub', { spec: { timeZone: 'Local' } }, 'spec.timeZone: Invalid value: "Local"'],
    ['another policy', { spec: { concurrencyPolicy: 'Never' } }, 'spec.concurrencyPolicy: Unsupported value: "Never"'],
    ['a history of less than nothing', { spec: { failedJobsHistoryLimit: -1 } }, 'spec.failedJobsHistoryLimit: Invalid value: -1'],
    ['a selector for all its jobs', { spec: job({ selector: { matchLabels: { a: 'b' } } }) }, 'spec.jobTemplate.spec.selector: Forbidden'],
    ['jobs that are wrong', { spec: job({ backoffLimit: -1 }) }, 'spec.jobTemplate.spec.backoffLimit: Invalid value: -1'],
  ])
})

describe('schedules', () => {
  test.each(['* * * * *', '*/15 0-6 1,15 * mon-fri', '0 0 ? JAN,DEC sun', '5/10 * * * *', '@daily', '@every 1h30m', ' 0  4 * * 0 '])('%s', (text) => {
    expect(scheduleProblem(text)).toBeUndefined()
  })
  test.each([
    ['* * * *', 'must have five fields'],
    ['* * * * * *', 'must have five fields'],
    ['60 * * * *', '"60" is no minute: numbers from 0 to 59'],
    ['* 24 * * *', '"24" is no hour'],
    ['* * 0 * *', '"0" is no day of the month'],
    ['* * * 13 *', '"13" is no month'],
    ['* * * * 7', '"7" is no day of the week'],
    ['* * * * 5-1', '"5-1" is no day of the week'],
    ['*/0 * * * *', '"*/0" is no minute'],
    ['a * * * *', '"a" is no minute'],
    ['1,,2 * * * *', '"" is no minute'],
    ['@often', 'must be one of @yearly'],
    ['@every day', 'must have a duration'],
  ])('%s is none', (text, why) => {
    expect(scheduleProblem(text)).toContain(why)
  })
})

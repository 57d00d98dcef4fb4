/** The five fields of a schedule, as cron has them (batch/v1 CronJob `spec.schedule`). */

interface Field {
  readonly name: string
  readonly least: number
  readonly most: number
  readonly words?: readonly string[]
}

const fields: readonly Field[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, words: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'] },
  { name: 'day of the week', least: 0, most: 6, words: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
]
const named: readonly string[] = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']

/** Why a text is no schedule; undefined where it is one. */
export function scheduleProblem(text: string): string | undefined {
  if (/^(CRON_)?TZ=/.test(text)) return 'must not have a time zone: it belongs into `timeZone`'
  if (text.startsWith('@every ')) return /^@every (\d+(\.\d+)?(h|ms|m|s|us|ns))+$/.test(text) ? undefined : "must have a duration behind @every (such as '@every 90m')"
  if (text.startsWith('@')) return named.includes(text) ? undefined : `must be one of ${named.join(', ')}, @every DURATION, or five fields`
  const parts = text.trim().split(/\s+/)
  if (parts.length !== fields.length)
    return `must have five fields (minute, hour, day of the month, month, day of the week), such as '*/5 * * * *'; it has ${parts.length}`
  for (const [i, field] of fields.entries()) {
    const wrong = parts[i]!.split(',').find((item) => !isItem(item, field))
    if (wrong !== undefined) return `${JSON.stringify(wrong)} is no ${field.name}: numbers from ${field.least} to ${field.most}, '*', ranges and steps`
  }
  return undefined
}

/** `*`, `5`, `1-5`, `*` with a step, `1-30/5`, and words for numbers. */
function isItem(item: string, { least, most, words = [] }: Field): boolean {
  const [, from, to, step] = /^(\*|\?|\w+)(?:-(\w+))?(?:\/(\d{1,4}))?$/.exec(item) ?? []
  if (from === undefined || (step !== undefined && Number(step) === 0)) return false
  const any = from === '*' || from === '?'
  if (any) return to === undefined
  const value = (text: string): number => (/^\d{1,4}$/.test(text) ? Number(text) : words.includes(text.toLowerCase()) ? words.indexOf(text.toLowerCase()) + least : NaN)
  const [first, last] = [value(from), value(to ?? from)]
  return first >= least && last <= most && first <= last
}

/** The columns of events. */
import type { Event } from '../../../api/objects.ts'
import { durationText } from './age.ts'
import { joined, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'

const firstTime = (e: Event): string | undefined => e.firstTimestamp ?? e.eventTime ?? e.metadata.creationTimestamp
const lastTime = (e: Event): string | undefined => e.series?.lastObservedTime ?? e.lastTimestamp ?? firstTime(e)

function sinceText(time: string | undefined, now: number): string {
  const then = time ? Date.parse(time) : NaN
  return Number.isNaN(then) ? '<unknown>' : durationText(now - then)
}

/** `3m`, or `3m (x5 over 10m)` for one that was seen more than once. */
function lastSeenText(event: Event, now: number): string {
  const count = event.series?.count ?? event.count ?? 1
  const last = sinceText(lastTime(event), now)
  return count > 1 ? `${last} (x${count} over ${sinceText(firstTime(event), now)})` : last
}

const sourceText = (e: Event): string => joined([e.source?.component ?? e.reportingComponent, e.source?.host], ', ')

export const eventColumns: readonly Column<Event>[] = [
  { name: 'Last Seen', description: 'Time since it was seen last.', cell: lastSeenText },
  { name: 'Type', description: 'Normal or Warning.', cell: (e) => e.type ?? '' },
  { name: 'Reason', description: 'Why, in one word.', cell: (e) => e.reason ?? '' },
  {
    name: 'Object',
    description: 'What it is about.',
    cell: (e) => `${(e.involvedObject.kind ?? '').toLowerCase()}/${e.involvedObject.name ?? ''}`,
  },
  { name: 'Subobject', priority: 1, description: 'Part of the object.', cell: (e) => e.involvedObject.fieldPath ?? '' },
  { name: 'Source', priority: 1, description: 'Who says so.', cell: sourceText },
  { name: 'Message', description: 'What happened.', cell: (e) => (e.message ?? '').trim() },
  { name: 'First Seen', priority: 1, description: 'Time since it was seen first.', cell: (e, now) => sinceText(firstTime(e), now) },
  { name: 'Count', priority: 1, type: 'integer', description: 'How often it was seen.', cell: (e) => e.series?.count ?? e.count ?? 1 },
  { ...nameColumn, priority: 1 },
]

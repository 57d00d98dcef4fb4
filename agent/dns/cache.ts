/** Answers of upstreams, as long as they hold: bounded in number, size and time; what is given out has aged. */
import { layoutOf, rcodeOf, recordType, ttlOf, type Layout, type RecordPlace } from './message.ts'

export interface Cache {
  /** A copy whose TTLs have grown less by its age; undefined if there is none, or none any more. */
  get(key: string): Buffer | undefined
  /** Keeps it if it may be kept. */
  put(key: string, message: Buffer): void
  clear(): void
  readonly size: number
}

export interface CacheOptions {
  /** Answers; the one that was asked for least lately goes first. */
  readonly most: number
  /** Milliseconds. */
  readonly now: () => number
}

/** Seconds, whatever an upstream says. */
const longest = { positive: 300, negative: 30 } as const
const largestBytes = 8_192

interface Entry {
  readonly message: Buffer
  readonly layout: Layout
  readonly at: number
  readonly until: number
}

export function createCache({ most, now }: CacheOptions): Cache {
  const entries = new Map<string, Entry>()
  return {
    get(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      entries.delete(key)
      const age = now() - entry.at
      // A clock that was set back makes everything old.
      if (age < 0 || now() >= entry.until) return undefined
      entries.set(key, entry)
      return aged(entry, Math.floor(age / 1000))
    },
    put(key, message) {
      const layout = message.length <= largestBytes ? layoutOf(message) : undefined
      const seconds = layout ? lifetime(message, layout) : 0
      entries.delete(key)
      if (!layout || seconds <= 0) return
      const oldest = entries.size >= most ? entries.keys().next().value : undefined
      if (oldest !== undefined) entries.delete(oldest)
      entries.set(key, { message, layout, at: now(), until: now() + seconds * 1000 })
    },
    clear: () => entries.clear(),
    get size() {
      return entries.size
    },
  }
}

/**
 * How many seconds an answer may be kept: as long as the first of its records, without any as long as the SOA says
 * (RFC 2308 5). 0: not at all, as is what tells of a failure.
 */
export function lifetime(message: Buffer, { records }: Layout): number {
  const code = rcodeOf(message)
  if (code !== 0 && code !== 3) return 0
  const ttls = records.map((record) => ttlOf(message, record))
  const answered = code === 0 && records.some(({ section }) => section === 'answer') && !isOnlyAliases(records)
  if (answered) return Math.min(longest.positive, ...ttls)
  const soa = records.find((record) => isSoa(record) && record.end - record.dataAt >= 22)
  return soa ? Math.min(longest.negative, message.readUInt32BE(soa.end - 4), ...ttls) : 0
}

/** Aliases with an SOA: what they lead to has no such record. */
function isOnlyAliases(records: Layout['records']): boolean {
  return (
    records.every(({ section, type }) => section !== 'answer' || type === recordType.CNAME) &&
    records.some(isSoa)
  )
}

const isSoa = ({ section, type }: RecordPlace): boolean => section === 'authority' && type === recordType.SOA

function aged({ message, layout }: Entry, seconds: number): Buffer {
  const copy = Buffer.from(message)
  for (const record of layout.records) copy.writeUInt32BE(Math.max(0, ttlOf(message, record) - seconds), record.ttlAt)
  return copy
}

/** A client that follows config maps by `resourceVersion`, as informers do, however often the hub goes away. */
import type { KubeObject } from '../../api/objects.ts'
import type { Api, WatchEvent } from '../kit/api.ts'

export interface Told {
  readonly revision: number
  readonly type: WatchEvent['type']
  readonly name: string
}

export interface Follower {
  /** Everything that it was told, over all watches. */
  readonly told: readonly Told[]
  /** What there is by what it was told: revisions by name. */
  readonly present: ReadonlyMap<string, number>
  /** Goes on where it was; resolves when the watch stands. */
  resume(api: Api): Promise<void>
  /** Resolves when it was told of this revision. Rejects with what is wrong with what it was told. */
  reached(revision: number): Promise<void>
  stop(): void
}

/** @param path of the collection */
export function createFollower(path: string): Follower {
  const told: Told[] = []
  const present = new Map<string, number>()
  let life = new AbortController()
  let wrong: Error | undefined
  let waiting: { readonly revision: number; readonly resolve: () => void; readonly reject: (e: Error) => void }[] = []

  const last = (): number => told.at(-1)?.revision ?? 0
  const wake = (): void => {
    for (const w of waiting) {
      if (wrong) w.reject(wrong)
      else if (w.revision <= last()) w.resolve()
    }
    waiting = waiting.filter((w) => !wrong && w.revision > last())
  }
  const take = ({ type, object }: WatchEvent): void => {
    const { name, resourceVersion } = object.metadata
    const revision = Number(resourceVersion)
    const law = lawBroken({ type, revision, name }, { last: last(), known: present.get(name) })
    if (law) wrong ??= new Error(`${law}: ${type} ${name} at ${revision} after ${last()}: ${JSON.stringify(object)}`)
    told.push({ revision, type, name })
    if (type === 'DELETED') present.delete(name)
    else present.set(name, revision)
    wake()
  }
  return {
    told,
    present,
    async resume(api) {
      life.abort()
      life = new AbortController()
      const events = await api.watch<KubeObject>(`${path}?resourceVersion=${last() || 1}`, life.signal)
      void (async () => {
        for await (const event of events) take(event)
      })().catch(() => undefined)
    },
    reached(revision) {
      if (wrong) return Promise.reject(wrong)
      if (revision <= last()) return Promise.resolve()
      return new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`revision ${revision} does not come; the last one was ${last()}`)), 10_000)
        const end = <T extends unknown[]>(call: (...args: T) => void) => (...args: T) => (clearTimeout(late), call(...args))
        waiting.push({ revision, resolve: end(resolve), reject: end(reject) })
      })
    },
    stop: () => life.abort(),
  }
}

/** What is wrong with an event after those before it. */
function lawBroken({ type, revision }: Told, { last, known }: { readonly last: number; readonly known: number | undefined }): string | undefined {
  if (type === 'ERROR' || type === 'BOOKMARK') return 'not an event of an object'
  if (!(revision > last)) return 'repeated or out of order'
  if (type === 'ADDED' && known !== undefined) return 'added twice, so its end was lost'
  if (type !== 'ADDED' && known === undefined) return 'its beginning was lost'
  return undefined
}

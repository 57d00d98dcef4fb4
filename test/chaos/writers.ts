/** Clients that write without a pause, and remember what they were promised. */
import type { KubeObject } from '../../api/objects.ts'
import { ApiFailure, type Api } from '../kit/api.ts'

/** What an object is to be: its value and, once it was acknowledged, its revision. */
interface State {
  readonly value: string
  readonly revision?: number
}

export interface Promises {
  /** Lets so many writers write until the connection breaks. `onAck` is called for each acknowledged write. */
  burst(api: Api, writers: number, onAck: () => void): Promise<void>
  /** Revisions of the acknowledged writes that have one in their answer, as deletions have not. */
  readonly acknowledged: readonly number[]
  /** Every acknowledged write, deletions too. */
  readonly count: number
  /**
   * Compares with what is there. What was on its way when the hub died may have happened or not, wholly.
   * @returns what is not as it was promised
   */
  broken(found: readonly KubeObject[]): readonly string[]
}

/** What writers call their objects: others, such as the hub, have theirs in the same place. */
const own = /^w\d+-\d+$/
/** Objects of one writer; each has one write under way at a time. */
const names = 8

/** @param path of the collection of config maps. @param below a number in [0, n) */
export function createPromises(path: string, below: (n: number) => number): Promises {
  const kept = new Map<string, State>()
  /** What was asked for and not answered; undefined: that it goes. */
  const asked = new Map<string, State | undefined>()
  const acknowledged: number[] = []
  let count = 0
  let writes = 0

  const write = async (api: Api, name: string): Promise<void> => {
    const before = kept.get(name)
    const value = `${name} ${++writes} ${'x'.repeat(below(2_000))}`
    const draft = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } }
    if (before && below(4) === 0) {
      asked.set(name, undefined)
      await api.delete(`${path}/${name}`)
      kept.delete(name)
    } else {
      asked.set(name, { value })
      const done = await (before ? api.patch(`${path}/${name}`, 'merge', { data: { value } }) : api.create(path, draft))
      const revision = Number(done.metadata.resourceVersion)
      kept.set(name, { value, revision })
      acknowledged.push(revision)
    }
    asked.delete(name)
    count++
  }
  return {
    acknowledged,
    get count() {
      return count
    },
    async burst(api, writers, onAck) {
      const writer = async (number: number): Promise<void> => {
        for (;;) {
          try {
            await write(api, `w${number}-${below(names)}`)
          } catch (e) {
            // The hub said no, which it has no reason to; anything else is a connection that broke.
            if (e instanceof ApiFailure) throw e
            return
          }
          onAck()
        }
      }
      await Promise.all(Array.from({ length: writers }, (_, number) => writer(number)))
    },
    broken(found) {
      const there = new Map(found.filter((o) => own.test(o.metadata.name)).map((o) => [o.metadata.name, stateOf(o)]))
      const wrong: string[] = []
      for (const name of new Set([...kept.keys(), ...asked.keys(), ...there.keys()])) {
        const now = there.get(name)
        const happened = asked.has(name) && now?.value === asked.get(name)?.value
        if (!happened && !same(now, kept.get(name))) wrong.push(`${name} is ${text(now)}, and was acknowledged as ${text(kept.get(name))}`)
        if (now) kept.set(name, now)
        else kept.delete(name)
      }
      asked.clear()
      return wrong
    },
  }
}

const stateOf = (o: KubeObject): State => ({ value: (o as unknown as { data: { value: string } }).data.value, revision: Number(o.metadata.resourceVersion) })
const same = (a: State | undefined, b: State | undefined): boolean => a?.value === b?.value && a?.revision === b?.revision
const text = (s: State | undefined): string => (s ? `${s.value.slice(0, 20)} at ${s.revision}` : 'absent')

/** Words of which no two objects hold the same one: what the embedded store knows of them. */
import type { KubeObject } from '../../api/objects.ts'
import type { Resource } from '../../api/resources.ts'
import { StoreError } from './error.ts'
import type { Ref, WordsOf } from './store.ts'

/** What changes hands within one batch. */
export interface WordMoves {
  /** The object goes from one state to another. @throws StoreError STORE_TAKEN, and nothing has moved */
  move(ref: Ref, before: KubeObject | undefined, after: KubeObject | undefined): void
}

export interface Words {
  /** What stands in the store holds its words. */
  load(ref: Ref, object: KubeObject): void
  /** Moves that come into force with `apply`. */
  begin(): WordMoves & { apply(): void }
}

/** What a change of an object takes and gives back. */
export function wordsMoved(wordsOf: WordsOf, resource: Resource, states: readonly [KubeObject | undefined, KubeObject | undefined]) {
  const [before, after] = states.map((object) => (object ? wordsOf(resource, object) : []))
  return { taken: after!.filter((w) => !before!.includes(w)), given: before!.filter((w) => !after!.includes(w)) }
}

export function taken(word: string, holder: string): StoreError {
  return new StoreError('STORE_TAKEN', `${word} belongs to ${holder} already`)
}

export function createWords(wordsOf: WordsOf): Words {
  const holders = new Map<string, string>()
  const holderOf = (ref: Ref): string => [ref.resource, ref.namespace, ref.name].filter((part) => part !== '').join('/')
  return {
    load(ref, object) {
      for (const word of wordsOf(ref.resource, object)) holders.set(word, holderOf(ref))
    },
    begin() {
      const moves = new Map<string, string | undefined>()
      return {
        move(ref, before, after) {
          const own = holderOf(ref)
          const moved = wordsMoved(wordsOf, ref.resource, [before, after])
          for (const word of moved.taken) {
            const holder = moves.has(word) ? moves.get(word) : holders.get(word)
            if (holder !== undefined && holder !== own) throw taken(word, holder)
          }
          for (const word of moved.given) moves.set(word, undefined)
          for (const word of moved.taken) moves.set(word, own)
        },
        apply() {
          for (const [word, holder] of moves) {
            if (holder === undefined) holders.delete(word)
            else holders.set(word, holder)
          }
        },
      }
    },
  }
}

/** From the rules that a chain has to those that it should have. */
import type { ChainName, Operation, Rule } from './model.ts'

/**
 * Beyond so many single rules a chain is written whole: the tools search the chain for each of them. Its counters begin anew then.
 */
const editLimit = 64

/**
 * Touches as few rules as it can, since a rule that is written loses its counters. Undefined if nothing differs.
 * @param before undefined where there is no such chain
 * @param after undefined where there should be none
 */
export function changeOf(chain: ChainName, before: readonly Rule[] | undefined, after: readonly Rule[] | undefined): Operation | undefined {
  if (after === undefined) return before && { kind: 'delete-chain', chain }
  if (before === undefined) return { kind: 'set-chain', chain, rules: after }
  if (before.length === after.length && before.every((rule, i) => rule === after[i])) return undefined
  return edited(chain, before, after) ?? { kind: 'set-chain', chain, rules: after }
}

function edited(chain: ChainName, before: readonly Rule[], after: readonly Rule[]): Operation | undefined {
  const places = new Map(after.map((rule, at) => [rule, at]))
  // Of two alike the first goes when one is taken away, which may be the wrong one.
  if (places.size < after.length || new Set(before).size < before.length) return undefined
  const kept = rising(before.flatMap((rule) => places.get(rule) ?? []))
  const stays = new Set(kept.map((at) => after[at]))
  const deleted = before.filter((rule) => !stays.has(rule))
  const inserted = after.flatMap((rule, i) => (stays.has(rule) ? [] : [{ at: i + 1, rule }]))
  if (kept.length === 0 || deleted.length + inserted.length > editLimit) return undefined
  return { kind: 'edit-chain', chain, deleted, inserted }
}

/** The longest part of a list of different numbers in which each is greater than the one before it. */
function rising(numbers: readonly number[]): readonly number[] {
  /** By length less one, the place of the smallest number with which a part of that length can end. */
  const ends: number[] = []
  const previous: number[] = []
  for (const [i, number] of numbers.entries()) {
    let low = 0
    for (let high = ends.length; low < high;) {
      const middle = (low + high) >>> 1
      if (numbers[ends[middle]!]! < number) low = middle + 1
      else high = middle
    }
    previous.push(low > 0 ? ends[low - 1]! : -1)
    ends[low] = i
  }
  const found: number[] = []
  for (let i = ends.at(-1) ?? -1; i >= 0; i = previous[i]!) found.push(numbers[i]!)
  return found.reverse()
}

/** What an edit makes of a chain's rules. */
export function editedRules(rules: readonly Rule[], { deleted, inserted }: Extract<Operation, { readonly kind: 'edit-chain' }>): readonly Rule[] {
  const gone = new Set(deleted)
  const left = rules.filter((rule) => !gone.has(rule))
  for (const { at, rule } of inserted) left.splice(at - 1, 0, rule)
  return left
}

/** A kernel in memory for tests: it keeps what a transaction says only if the kernel's laws allow all of it. */
import { aborted } from '../../../api/clock.ts'
import type { Family } from '../../../rules/model.ts'
import type { Element, ElementKey, Listing, Operation, SetName, Transaction } from '../../../rules/nft/model.ts'
import { render } from '../../../rules/nft/index.ts'
import { KernelError } from '../errors.ts'
import type { ForeignChange, Kernel } from '../kernel.ts'
import { shapeOf } from './references.ts'
import { applyAll } from './table.ts'

export interface FakeKernel extends Kernel<Listing, Transaction> {
  /** The transactions that were accepted, in order; not those of other hands. */
  readonly accepted: readonly Transaction[]
  /** Another process does this to our table: whoever watches is told, with the words of `change`. */
  meddle(operations: readonly Operation[], change: ForeignChange): void
}

/** @param options.held what the kernel holds at first, as a process before us may have left it; nothing by default */
export function createFakeKernel(options: { readonly family: Family; readonly held?: Listing }): FakeKernel {
  const { family } = options
  const accepted: Transaction[] = []
  const watchers = new Set<(change: ForeignChange) => void>()
  let held = options.held
  let generation = 1
  return {
    how: 'a kernel in memory',
    accepted,
    async apply(transaction, signal) {
      signal.throwIfAborted()
      if (transaction.family !== family) {
        throw new KernelError(
          'KERNEL_REFUSED',
          `family: the transaction is for ${transaction.family}, this kernel is for ${family}`,
        )
      }
      held = applyAll(held, transaction.operations)
      generation++
      accepted.push(transaction)
    },
    meddle(operations, change) {
      held = applyAll(held, operations)
      generation++
      for (const tell of watchers) tell(change)
    },
    stamp: () => Promise.resolve(`in memory ${generation}`),
    async read(signal) {
      signal.throwIfAborted()
      return held && withoutLearned(held)
    },
    async print(signal) {
      signal.throwIfAborted()
      return held ? render({ family, operations: operationsFor(held) }) : ''
    },
    async watch(tell, signal) {
      watchers.add(tell)
      await aborted(signal)
      watchers.delete(tell)
    },
    async remove(signal) {
      signal.throwIfAborted()
      held = undefined
      generation++
    },
    close() {},
  }
}

/** A listing leaves out what is in dynamic sets, whoever put it there. */
function withoutLearned({ chains, sets, elements }: Listing): Listing {
  const shown = new Map<SetName, ReadonlyMap<ElementKey, Element>>(elements)
  for (const set of sets.values()) if (shapeOf(set).isDynamic) shown.set(set.name, new Map())
  return { chains, sets, elements: shown }
}

/** What makes a table out of nothing. */
export function operationsFor({ chains, sets, elements }: Listing): readonly Operation[] {
  return [
    { kind: 'add-table' },
    ...[...sets.values()].map((set): Operation => ({ kind: 'add-set', set })),
    ...[...chains.values()].map(({ name, base }): Operation => ({ kind: 'add-chain', chain: name, base })),
    ...[...chains.values()].flatMap(({ name, rules }) =>
      rules.map((rule): Operation => ({ kind: 'add-rule', chain: name, rule })),
    ),
    ...[...elements]
      .filter(([, inside]) => inside.size > 0)
      .map(([set, inside]): Operation => ({ kind: 'add-elements', set, elements: [...inside.values()] })),
  ]
}

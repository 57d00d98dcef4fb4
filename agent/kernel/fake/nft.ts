/** A kernel in memory for tests: it keeps what a transaction says only if the kernel's laws allow all of it. */
import { render } from '../../../rules/index.ts'
import type { Family, Listing, Operation, Transaction } from '../../../rules/model.ts'
import { KernelError } from '../errors.ts'
import type { Kernel } from '../kernel.ts'
import { applyAll } from './table.ts'

export interface FakeKernel extends Kernel {
  /** The transactions that were accepted, in order. */
  readonly accepted: readonly Transaction[]
}

/** @param options.held what the kernel holds at first, as a process before us may have left it; nothing by default */
export function createFakeKernel(options: { readonly family: Family; readonly held?: Listing }): FakeKernel {
  const { family } = options
  const accepted: Transaction[] = []
  let held = options.held
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
      accepted.push(transaction)
    },
    async read(signal) {
      signal.throwIfAborted()
      return held
    },
    async print(signal) {
      signal.throwIfAborted()
      return held ? render({ family, operations: operationsFor(held) }) : ''
    },
    close() {},
  }
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

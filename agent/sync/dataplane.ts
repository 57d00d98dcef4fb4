/** A mode and the kernel that it works on, as one thing that can be brought to a view. Remembers what the kernel accepted. */
import type { Mode, ModeName, Plan } from '../../rules/mode.ts'
import type { Family, NodeView, ServiceKey } from '../../rules/model.ts'
import type { Kernel } from '../kernel/kernel.ts'

export interface Dataplane extends Pick<Kernel<never, never>, 'how' | 'print' | 'watch' | 'remove' | 'close'> {
  readonly mode: ModeName
  readonly family: Family
  /** Whether it is known what the kernel holds; if not, the next `bring` reads it and looks at everything. */
  isKnown(): boolean
  /** Distrust what is remembered. */
  forget(): void
  /** Begins to read the kernel while the view to compare it with is still on its way. Writes nothing. */
  prepare(signal: AbortSignal): void
  /**
   * From what the kernel holds to what the view says, in one transaction. What the kernel holds is remembered only after it
   * said yes; after any failure it is unknown.
   * @throws KernelError as `Kernel.apply` and `Kernel.read` do
   */
  bring(view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>, signal: AbortSignal): Promise<Plan<unknown>>
}

export function createDataplane<Listing, Accepted, Transaction, P extends Plan<Transaction>>(
  family: Family,
  mode: Mode<Listing, Accepted, Transaction, P>,
  kernel: Kernel<Listing, Transaction>,
): Dataplane {
  let accepted: { readonly state: Accepted } | undefined
  /** Whether somebody distrusted what is remembered since the last `bring` began: then it is not known what the kernel holds, either. */
  let isDoubted = false
  return {
    mode: mode.name,
    family,
    how: kernel.how,
    isKnown: () => accepted !== undefined,
    forget() {
      accepted = undefined
      isDoubted = true
    },
    prepare: (signal) => kernel.prepare?.(signal),
    async bring(view, changed, signal) {
      isDoubted = false
      try {
        const { state } = accepted ?? { state: mode.adopt(family, await kernel.read(signal)) }
        const plan = mode.plan(state, view, changed)
        if (plan.transaction !== undefined) await kernel.apply(plan.transaction, signal)
        const next = mode.commit(state, plan)
        accepted = isDoubted ? undefined : { state: next }
        return plan
      } catch (e) {
        accepted = undefined
        throw e
      }
    },
    print: (signal) => kernel.print(signal),
    watch: (tell, signal) => kernel.watch(tell, signal),
    remove: (signal) => kernel.remove(signal),
    close: () => kernel.close(),
  }
}

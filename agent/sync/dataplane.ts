/** A mode and the kernel that it works on, as one thing that can be brought to a view. Remembers what the kernel accepted. */
import type { Clock } from '../../api/clock.ts'
import type { Mode, ModeName, Plan } from '../../rules/mode.ts'
import type { Family, NodeView, ServiceKey } from '../../rules/model.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { rested } from '../kernel/pace.ts'
import type { Entry, Notebook } from './notebook.ts'

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
   * said yes; after any failure it is unknown. The first time it need not be read, if it is still what the notebook says.
   * @throws KernelError as `Kernel.apply` and `Kernel.read` do
   */
  bring(view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>, signal: AbortSignal): Promise<Plan<unknown>>
  /** Notes what is remembered for the process that comes after this one, whenever it stood still for a second, until the signal aborts. */
  note(signal: AbortSignal): Promise<void>
}

export interface DataplaneNotes {
  readonly notebook: Notebook
  readonly clock: Clock
}

/** Longer than it takes until a watch has told what other hands did. */
const stillMs = 1_000

export function createDataplane<Listing, Accepted, Transaction, P extends Plan<Transaction>>(
  family: Family,
  mode: Mode<Listing, Accepted, Transaction, P>,
  kernel: Kernel<Listing, Transaction>,
  notes?: DataplaneNotes,
): Dataplane {
  let accepted: { readonly state: Accepted } | undefined
  /** Whether somebody distrusted what is remembered since the last `bring` began: then it is not known what the kernel holds, either. */
  let isDoubted = false
  /** Whether this process may trust what one before it has noted. */
  let isFirst = true
  /** Of which state of the kernel the notebook tells. */
  let noted: string | undefined

  const forget = (): void => {
    accepted = undefined
    isDoubted = true
    isFirst = false
    notes?.notebook.clear()
    noted = undefined
  }
  /** What the notebook tells of the kernel as it is now. */
  const found = async (): Promise<Entry | undefined> => {
    if (!isFirst || !mode.recall || !kernel.stamp) return undefined
    const entry = notes?.notebook.read()
    return entry !== undefined && entry.stamp === (await kernel.stamp()) ? entry : undefined
  }
  const recall = async (view: NodeView): Promise<P | undefined> => {
    const entry = await found()
    const recalled = entry && mode.recall!(family, entry.note, view)
    if (!recalled || isDoubted) return undefined
    accepted = { state: recalled.accepted }
    noted = entry.stamp
    return recalled.plan
  }

  return {
    mode: mode.name,
    family,
    how: kernel.how,
    isKnown: () => accepted !== undefined,
    forget,
    prepare(signal) {
      void found().then((entry) => {
        if (!entry && isFirst && !signal.aborted) kernel.prepare?.(signal)
      })
    },
    async bring(view, changed, signal) {
      isDoubted = false
      try {
        const recalled = isFirst ? await recall(view) : undefined
        isFirst = false
        if (recalled) return recalled
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
    async note(signal) {
      if (!notes || !mode.note || !kernel.stamp) return
      for (let before: string | undefined; ; ) {
        // The stamp is older than a second and nobody has told of other hands, so what is remembered is what it stands for.
        const stamp = accepted && (await kernel.stamp())
        const note = stamp !== undefined && stamp === before && stamp !== noted ? accepted && mode.note(accepted.state) : undefined
        if (note !== undefined) {
          notes.notebook.write({ stamp: stamp!, note })
          noted = stamp
        }
        before = stamp
        if (!(await rested(notes.clock, stillMs, signal))) return
      }
    },
    print: (signal) => kernel.print(signal),
    watch: (tell, signal) => kernel.watch(tell, signal),
    remove(signal) {
      forget()
      return kernel.remove(signal)
    },
    close: () => kernel.close(),
  }
}

/** A kernel that fails now and then, as kernels do. */
import { KernelError } from '../errors.ts'
import type { Kernel } from '../kernel.ts'

export interface FaultyOptions {
  /** Which part of the applies fails, from 0 to 1. */
  readonly share: number
  /** `before`: nothing was done. `after`: it was done, but the answer was lost. */
  readonly when: 'before' | 'after'
  /** From 0 to less than 1. */
  readonly random: () => number
}

export function createFaultyKernel<Listing, Transaction>(
  kernel: Kernel<Listing, Transaction>,
  { share, when, random }: FaultyOptions,
): Kernel<Listing, Transaction> {
  return {
    get how() {
      return `${kernel.how}, failing ${Math.round(share * 100)} of 100 times`
    },
    async apply(transaction, signal) {
      const fails = random() < share
      const failure = new KernelError('KERNEL_REFUSED', `a planted failure ${when} the effect`)
      if (fails && when === 'before') throw failure
      await kernel.apply(transaction, signal)
      if (fails) throw failure
    },
    read: (signal) => kernel.read(signal),
    print: (signal) => kernel.print(signal),
    watch: (tell, signal) => kernel.watch(tell, signal),
    remove: (signal) => kernel.remove(signal),
    close: () => kernel.close(),
  }
}

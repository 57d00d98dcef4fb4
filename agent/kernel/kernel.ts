/** The agent's contract with a kernel's packet rules. The real one is `nft.ts`, the one that obeys the same laws in memory `fake/nft.ts`. */
import type { Listing, Transaction } from '../../rules/model.ts'

export interface Kernel {
  /** How the kernel is reached, for people (`libnftables 1.0.6 in process`, `nft 1.0.6 as a process`). */
  readonly how: string
  /**
   * Runs one transaction: all of it or nothing.
   * @throws KernelError KERNEL_EXISTS, KERNEL_NOT_FOUND, KERNEL_BUSY or KERNEL_REFUSED, with the tool's words and the payload's line.
   */
  apply(transaction: Transaction, signal: AbortSignal): Promise<void>
  /** Our table as the kernel holds it now; undefined if it has none. Expensive (seconds at 100,000 elements). */
  read(signal: AbortSignal): Promise<Listing | undefined>
  /** The same as text, for people: what `nft list table` prints. */
  print(signal: AbortSignal): Promise<string>
  close(): void
}

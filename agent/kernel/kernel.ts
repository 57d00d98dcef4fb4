/**
 * The agent's contract with the part of a kernel that serves virtual IPs, in one mode and one IP family. The sync loop knows
 * kernels by this alone.
 * @typeParam Listing what was read, as the mode's `adopt` takes it
 * @typeParam Transaction what the mode's `plan` gives
 */
export interface Kernel<Listing, Transaction> {
  /** How the kernel is reached, for people (`libnftables 1.0.6 in process`, `iptables-restore 1.8.9 (nf_tables)`). */
  readonly how: string
  /**
   * Runs one transaction: all of it or nothing, as far as the mode can.
   * @throws KernelError KERNEL_EXISTS, KERNEL_NOT_FOUND, KERNEL_BUSY or KERNEL_REFUSED, with the tool's words and the payload's line.
   */
  apply(transaction: Transaction, signal: AbortSignal): Promise<void>
  /**
   * A text that is another one after whatever changes the rules of this network namespace, of anybody, and on every other machine or
   * boot. Undefined where that cannot be told, or changes by other hands would not be noticed.
   */
  stamp?(): Promise<string | undefined>
  /** Where reading takes long: begins to read what `read` will soon be asked for. What changed since is read again. */
  prepare?(signal: AbortSignal): void
  /** Our part as the kernel holds it now; undefined if it has none. Expensive (seconds at 100,000 elements). */
  read(signal: AbortSignal): Promise<Listing | undefined>
  /** The same as text, for people, with counters: what `nft list table` and the like print. */
  print(signal: AbortSignal): Promise<string>
  /**
   * Tells of changes to our part by other hands, until the signal aborts; resolves then. Where the kernel does not tell, it
   * is looked at every half second, cheaply. Our own transactions are not told of.
   */
  watch(tell: (change: ForeignChange) => void, signal: AbortSignal): Promise<void>
  /** Takes everything of ours away, also what an earlier version or a crash left; nothing is no error. */
  remove(signal: AbortSignal): Promise<void>
  close(): void
}

/** Somebody else changed our part of the kernel. */
export interface ForeignChange {
  /** For people, e.g. `delete table ip wherry`. */
  readonly what: string
  /** Who did it, where the kernel says so. */
  readonly by?: { readonly pid: number; readonly name: string }
}

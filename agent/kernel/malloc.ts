/** The memory that libc keeps for itself after it was freed, which is tens of MB after large work. */

/**
 * @returns gives all of it back to the system, in some milliseconds (malloc_trim(3)); does nothing where this C library has
 *   no such function, or this Node calls no foreign ones
 */
export async function openTrim(): Promise<() => void> {
  try {
    const { dlopen } = await import('node:ffi')
    const { malloc_trim } = dlopen(null, { malloc_trim: { arguments: ['u64'], return: 'i32' } }).functions
    return () => void malloc_trim(0n)
  } catch {
    return () => {}
  }
}

/** Memory that a process does not need any more, but keeps: V8 in its heap, libc in its own. It is tens of MB after large work. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface Memory {
  /** Collects garbage, moves together what is left, and gives free pages to the system: a tenth of a second or two. */
  giveBack(): void
  /** Gives back what libc has alone, in some milliseconds (malloc_trim(3)). */
  trim(): void
  /**
   * From now on blocks of so many bytes and more come from the system one by one: pages of theirs that nothing is written to are
   * never there, and go at once when they are freed (mallopt(3), M_MMAP_THRESHOLD).
   */
  mapFrom(bytes: number): void
}

/** malloc.h */
const mmapThreshold = -3

/** Leaves libc alone where it has no such functions, or this Node calls no foreign ones. */
export async function openMemory(): Promise<Memory> {
  const { trim, mapFrom } = await openMalloc()
  let collect: ((options: object) => void) | undefined
  return {
    giveBack() {
      collect ??= openCollector()
      collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
      trim()
    },
    trim,
    mapFrom,
  }
}

/** A context of its own is needed to reach it, which is nobody's before the first time. */
function openCollector(): (options: object) => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as (options: object) => void
}

async function openMalloc(): Promise<{ readonly trim: () => void; readonly mapFrom: (bytes: number) => void }> {
  try {
    const { dlopen } = await import('node:ffi')
    const { malloc_trim: trim, mallopt } = dlopen(null, {
      malloc_trim: { arguments: ['u64'], return: 'i32' },
      mallopt: { arguments: ['i32', 'i32'], return: 'i32' },
    }).functions
    return { trim: () => void trim(0n), mapFrom: (bytes) => void mallopt(mmapThreshold, bytes) }
  } catch {
    return { trim() {}, mapFrom() {} }
  }
}

/**
 * Gives back what this process does not need, since an agent shares its node with pods. A first sync of 10,000 services leaves
 * 50 MB behind, in V8's heap and in that of libc, which would stay for hours.
 */
import { setFlagsFromString } from 'node:v8'
import type { Clock } from '../api/clock.ts'
import { openMemory } from '../api/memory.ts'

/** What a pass made and threw away: services looked at, elements written. */
export interface Work {
  readonly services: number
  readonly elements: { readonly added: number; readonly deleted: number }
}

export interface Tidying {
  /**
   * Something was done. Gives memory back at once after a large load, whose changes are in the kernel by then, and after many
   * small changes as soon as there was none for a second.
   */
  worked(work: Work): void
}

export interface TidyingDeps {
  readonly clock: Clock
  readonly giveBack: () => void
}

/** It holds everything up for a tenth of a second or two, which so much work is worth. */
const muchWork = 10_000
const restMs = 1_000
/** Until nobody holds any more what the load was made from. */
const loadMs = 10

export function createTidying({ clock, giveBack }: TidyingDeps): Tidying {
  let done = 0
  let cancel = (): void => {}
  let isLoaded = false
  return {
    worked({ services, elements }) {
      const work = services + elements.added + elements.deleted
      done += work
      if (done < muchWork || isLoaded) return
      isLoaded = work >= muchWork
      cancel()
      cancel = clock.after(isLoaded ? loadMs : restMs, () => {
        done = 0
        isLoaded = false
        giveBack()
      })
    },
  }
}

/**
 * From the first time on V8 lets its heap grow by a fifth at most, instead of to twice its size, before it collects garbage by
 * itself; sooner that would cost a first sync half as much time again.
 */
export async function openGivingBack(): Promise<() => void> {
  const memory = await openMemory()
  return () => {
    memory.giveBack()
    setFlagsFromString('--heap-growing-percent=20')
  }
}

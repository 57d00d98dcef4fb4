/**
 * How the two ends of a call keep their buffers bounded. Each end has room for so much from the other; what is sent takes
 * room, and the reader gives it back as it reads. Nobody sends without room, so a slow reader slows the writer down.
 */

/** What a call is told while it goes on. It has ended when there is no more of it. */
export type CallInput =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** Of a terminal, in characters. */
  | { readonly kind: 'resize'; readonly width: number; readonly height: number }

/** A part of an answer. An exit code is the last, where the call was to run a process. */
export type CallPart =
  | { readonly kind: 'out' | 'err'; readonly bytes: Uint8Array }
  | { readonly kind: 'exit'; readonly code: number }

/** The room that each end of a call has for the other from the start. Bytes, frames' own cost included. */
export const callRoom = 256 * 1024
/** What a frame takes beside its bytes, so that many small ones do not fill a buffer either. */
const frameCost = 64
/** No frame is longer, so that other frames get their turn in between. Bytes. */
const longestFrame = 64 * 1024

/** The room that a frame with so many bytes takes. */
export const costOf = (bytes: number): number => bytes + frameCost

/** The writer's side: how much room there is at the other end. */
export interface Room {
  /** Takes room for a frame with at most so many bytes (at least 1). Resolves to how many of them may go, and when. Rejects when the signal aborts. */
  take(bytes: number, signal: AbortSignal): Promise<number>
  /** The other end has read. */
  add(room: number): void
}

export function createRoom(start: number = callRoom): Room {
  let left = start
  let wake = Promise.withResolvers<void>()
  return {
    async take(bytes, signal) {
      const abort = (): void => wake.resolve()
      signal.addEventListener('abort', abort)
      try {
        for (;;) {
          signal.throwIfAborted()
          if (left > frameCost) break
          await wake.promise
        }
      } finally {
        signal.removeEventListener('abort', abort)
      }
      const some = Math.min(bytes, left - frameCost, longestFrame)
      left -= costOf(some)
      return some
    },
    add(room) {
      left += room
      wake.resolve()
      wake = Promise.withResolvers()
    },
  }
}

/** The reader's side: what came and was not read yet. To be iterated once. */
export interface Inbox<T> extends AsyncIterable<T> {
  /** @returns false where the other end had no room for it */
  put(item: T, cost: number): boolean
  /** Nothing comes any more; what came is still read, then the error is thrown, if there is one. */
  end(error?: Error): void
}

export interface InboxOptions {
  /** Called as items are read, with the room that the other end has again. */
  readonly give: (room: number) => void
  readonly room?: number
}

export function createInbox<T>({ give, room = callRoom }: InboxOptions): Inbox<T> {
  const items: { readonly item: T; readonly cost: number }[] = []
  let waiting = 0
  /** Read, and not given back yet: room is given in portions, not for every item. */
  let owed = 0
  let ended: { readonly error?: Error } | undefined
  let wake = Promise.withResolvers<void>()
  const stir = (): void => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  return {
    put(item, cost) {
      if (ended) return true
      if (waiting + owed + cost > room) return false
      items.push({ item, cost })
      waiting += cost
      stir()
      return true
    },
    end(error) {
      ended ??= error ? { error } : {}
      stir()
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const next = items.shift()
        if (next) {
          waiting -= next.cost
          owed += next.cost
          if (owed >= room / 4 && !ended) {
            give(owed)
            owed = 0
          }
          yield next.item
        } else if (ended) {
          if (ended.error) throw ended.error
          return
        } else await wake.promise
      }
    },
  }
}

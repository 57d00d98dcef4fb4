/** The one order of revisions in the hub's stream: watched over, and kept free of repeats across connections. */
import type { StreamFrame } from '../../api/frames.ts'

/** Hand a frame on, leave it out because it was handed on before, or end the connection. */
export type Verdict = { readonly kind: 'news' | 'repeat' } | { readonly kind: 'violation'; readonly why: string }

export interface Order {
  /** A new stream begins; `resumed` where it continues after the revision `held`. */
  begin(resumed: boolean, held: number | undefined): void
  judge(frame: StreamFrame): Verdict
}

const news = { kind: 'news' } as const

/**
 * After a break the hub resumes from the last `sync`, so changes that had come after it come again. They have been handed on
 * and are left out.
 */
export function createOrder(): Order {
  /** The last change of this stream, and the last one that was handed on in any. */
  let last = 0
  let handed = 0
  let expectsReset = false

  return {
    begin(resumed, held) {
      expectsReset = !resumed
      last = held ?? 0
    },
    judge(frame) {
      if (frame.kind === 'reset') {
        expectsReset = false
        last = 0
        handed = 0
        return news
      }
      if (expectsReset) return violation(`${frame.kind} came before the reset that the welcome announced`)
      if (frame.kind === 'sync') {
        if (frame.revision < last) return violation(`a sync at revision ${frame.revision} came after revision ${last}`)
        last = frame.revision
        return news
      }
      if (frame.revision <= last) return violation(`a change at revision ${frame.revision} came after revision ${last}`)
      last = frame.revision
      if (frame.revision <= handed) return { kind: 'repeat' }
      handed = frame.revision
      return news
    },
  }
}

const violation = (why: string): Verdict => ({ kind: 'violation', why })

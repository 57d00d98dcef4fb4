/** What belongs on a side link, the connection of a node whose session is with another hub. Pure. */
import type { AgentFrame } from '../../api/frames.ts'

/** Why this frame ends a side link; undefined where it belongs on one. What becomes an object comes over the session alone. */
export function misplaced(frame: AgentFrame): string | undefined {
  switch (frame.kind) {
    case 'data':
    case 'end':
    case 'room':
      return undefined
    case 'report': {
      const { kind } = frame.report
      return kind === 'usage' || kind === 'podUsage' ? undefined : `a report of kind ${kind} does not belong on a side link`
    }
    case 'hello':
    case 'ack':
      return `${frame.kind} does not belong on a side link`
  }
}

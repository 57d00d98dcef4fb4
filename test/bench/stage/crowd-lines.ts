/** What crowd.ts says. */

/** All agents of this process have this revision in full. Times are of the machine's monotonic clock, in ms. */
export interface Reached {
  readonly msg: 'reached'
  readonly revision: number
  readonly first: number
  readonly last: number
  /** Sent to all together since the line before: frames of WebSockets, with their heads, and the longest change among them. */
  readonly bytes: number
  readonly longest: number
}

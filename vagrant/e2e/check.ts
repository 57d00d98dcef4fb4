/** A check of the run: what it says, and how it is found out. */
import type { Cluster } from './cluster.ts'

export interface Check {
  /** Parts may be run alone. */
  readonly part: string
  /** A sentence that is true if the check passes. */
  readonly what: string
  /** @returns details for the line. @throws if the sentence is not true */
  readonly run: (cluster: Cluster) => Promise<string>
}

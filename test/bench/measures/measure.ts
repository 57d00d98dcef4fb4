/** The contract of what is measured. */
import type { Figure } from '../figures.ts'
import type { Stage } from '../stage/stage.ts'

export interface Measure {
  /** As on the command line. */
  readonly name: string
  readonly about: string
  /** At how many services, unless the command line says so. */
  readonly services: readonly number[]
  /** It is given a stage that nobody used. Others share one that grows from size to size. */
  readonly fresh?: true
  /** It makes its own services. */
  readonly populates?: true
  /** It ends after this time, finished or not. The making of services is not counted. */
  readonly limitMs: number
  figures(stage: Stage, trial: Trial): Promise<readonly Figure[]>
}

/** What the command line says, and what else there is to use. */
export interface Trial {
  readonly services: number
  /** How many measured endpoint changes, starts and connections. */
  readonly changes: number
  readonly starts: number
  readonly connections: number
  /** Another stage, empty, which ends with the trial. */
  readonly open: () => Promise<Stage>
}

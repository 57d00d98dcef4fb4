/**
 * The part of the benchmark that lives inside a network namespace: sets the stage, and does one work after another as it is
 * told by the process outside (site.ts). Ends when that one is gone.
 */
import { change } from './change.ts'
import { churnOfAgent, churnThroughHub } from './churn.ts'
import { connect } from './connect.ts'
import { connections } from './connections.ts'
import { memory } from './memory.ts'
import { restart } from './restart.ts'
import { openStage, type Stage } from './stage.ts'
import { start } from './start.ts'

const works = {
  change,
  churnOfAgent,
  churnThroughHub,
  connect,
  connections,
  memory,
  restart,
  start,
  async serve(stage: Stage) {
    await stage.serving()
  },
  grow: (stage: Stage, { services }: { readonly services: number }) => stage.grow(services),
} as const

export type Works = typeof works
export type Work = keyof Works

export interface Order {
  readonly work: Work
  readonly options: unknown
}

export type Answer = { readonly kind: 'ready' } | { readonly kind: 'done'; readonly value: unknown } | { readonly kind: 'failed'; readonly why: string }

const stage = await openStage()
const say = (answer: Answer): void => void process.send?.(answer)

process.on('message', ({ work, options }: Order) => {
  const run = works[work] as (stage: Stage, options: unknown) => Promise<unknown>
  run(stage, options).then(
    (value) => say({ kind: 'done', value }),
    (e: unknown) => say({ kind: 'failed', why: e instanceof Error ? (e.stack ?? e.message) : String(e) }),
  )
})
process.once('disconnect', () => void stage.close().finally(() => process.exit(0)))
say({ kind: 'ready' })

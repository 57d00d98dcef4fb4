/** Carries out a plan: opens stages, lets them grow, and holds every measure to its time. */
import { judge, type Figure } from './figures.ts'
import type { Plan, Task } from './plan.ts'
import { openStage, type Stage } from './stage/stage.ts'

export interface Run {
  /** One task after another; what could not be measured is a figure without a value. Ends early, without a word, when the run is closed. */
  figures(): AsyncGenerator<Figure>
  /** Ends everything that was started. */
  close(): Promise<void>
}

const growLimitMs = 300_000

export function createRun(plan: Plan, say: (what: string) => void): Run {
  const stages = createStages()
  const figuresOf = async (task: Task, stage: Stage): Promise<readonly Figure[]> => {
    const { measure, services } = task
    if (!measure.populates && stage.services < services) {
      say(`${services} services are made`)
      await stages.within(growLimitMs, stage, () => stage.grow(services))
    }
    say(`${measure.name}, ${services} services`)
    return stages.within(measure.limitMs, stage, () => measure.figures(stage, { ...plan, services, open: () => stages.open() }))
  }
  return {
    async *figures() {
      let shared: Stage | undefined
      for (const task of plan.tasks) {
        if (stages.closed) return
        try {
          if (task.measure.fresh || shared?.signal.aborted !== false) {
            await stages.close()
            shared = await stages.open()
          }
          yield* await figuresOf(task, shared)
          await stages.close(task.measure.fresh ? undefined : shared)
        } catch (e) {
          await stages.close()
          if (!stages.closed) yield notMeasured(task, e)
        }
      }
    },
    close: () => stages.closeForGood(),
  }
}

function createStages() {
  /** Also those that are about to open. */
  const opened = new Set<Promise<Stage>>()
  let closed = false
  const close = async (kept?: Stage): Promise<void> => {
    for (const opening of opened) {
      const stage = await opening.catch(() => undefined)
      if (stage !== undefined && stage === kept) continue
      await stage?.close()
      opened.delete(opening)
    }
  }
  return {
    get closed() {
      return closed
    },
    open(): Promise<Stage> {
      if (closed) return Promise.reject(new Error('the run is closed'))
      const opening = openStage()
      opened.add(opening)
      return opening
    },
    close,
    async closeForGood(): Promise<void> {
      closed = true
      await close()
    },
    /** Runs a work inside a stage. When it takes too long, all stages close, and with them what it waits for. */
    async within<T>(limitMs: number, stage: Stage, work: () => Promise<T>): Promise<T> {
      let isLate = false
      const late = setTimeout(() => {
        isLate = true
        void close()
      }, limitMs)
      try {
        return await stage.inside(work)
      } catch (cause) {
        throw isLate ? new Error(`it took longer than ${limitMs / 1_000} s`, { cause }) : cause
      } finally {
        clearTimeout(late)
      }
    },
  }
}

function notMeasured({ measure: { name, about }, services }: Task, e: unknown): Figure {
  const lines = (e as Error).message.split('\n').filter((line) => line.trim() !== '')
  return judge({ name: `${name}: ${about}`, services, value: undefined, unit: '', note: `not measured: ${lines.at(-1)}`, detail: lines })
}

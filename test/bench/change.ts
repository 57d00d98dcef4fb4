/** One endpoint change after another: from the API's answer to the first connection that the new endpoint answers. */
import { ask } from './ask.ts'
import { newPod, podsOf, setEndpoints, vipOf } from './cluster.ts'
import type { Stage } from './stage.ts'

export interface ChangeOptions {
  readonly changes: number
  /** Not counted: programs and caches get warm. */
  readonly warmUp?: number
  /** The number of the first change, so that no two batches bring the same endpoint to the same service. */
  readonly first?: number
  /** A change takes no longer than this. */
  readonly limitMs?: number
}

export interface Changes {
  /** Milliseconds of each. */
  readonly taken: readonly number[]
  /** Of the agent for one change, in milliseconds. */
  readonly cpuMs: number
}

/** The agent must be serving. Each service has its three endpoints again before the next one changes: the work is the same at all sizes. */
export async function change(stage: Stage, { changes, warmUp = 0, first = 0, limitMs = 5_000 }: ChangeOptions): Promise<Changes> {
  const { api, services, agent } = stage
  const one = async (n: number): Promise<number> => {
    const i = (n * 7919) % services
    const host = vipOf(i)
    const pod = newPod(n)
    await setEndpoints(api, i, [pod])
    const answered = performance.now()
    const until = async (reached: (answer: string) => boolean): Promise<number> => {
      const limit = performance.now() + limitMs
      while (!reached(await ask({ host }))) if (performance.now() > limit) throw new Error(`change ${n} did not reach the kernel within ${limitMs} ms`)
      return performance.now()
    }
    const taken = (await until((answer) => answer === pod.address)) - answered
    await setEndpoints(api, i, podsOf(i))
    await until((answer) => answer !== pod.address)
    return taken
  }
  for (let n = 0; n < warmUp; n++) await one(first + n)
  const before = agent.cpuSeconds()
  const taken: number[] = []
  for (let n = 0; n < changes; n++) taken.push(await one(first + warmUp + n))
  // The way back is a change, too.
  return { taken, cpuMs: ((agent.cpuSeconds() - before) * 1_000) / (2 * changes) }
}

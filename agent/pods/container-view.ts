/** The node's containers by pod. However many ask, one listing runs and at most one waits behind it. */
import { byContainer, readAttempt, type Attempt, type Attempts, type PodIdentity } from './attempts.ts'
import type { Runtime } from './runtime/runtime.ts'

export interface ContainerView {
  /** The containers of a pod, by a listing that began after the call. */
  of(uid: string): Promise<Attempts>
  /** All pods that have containers. */
  pods(): Promise<readonly PodIdentity[]>
}

/** @param closing aborts listings */
export function createContainerView(runtime: Runtime, closing: AbortSignal): ContainerView {
  type Listed = ReadonlyMap<string, readonly (Attempt & { readonly pod: PodIdentity })[]>
  let running: Promise<Listed> | undefined
  let queued: Promise<Listed> | undefined

  async function list(): Promise<Listed> {
    const attempts = (await runtime.list(closing)).flatMap((state) => readAttempt(state) ?? [])
    return Map.groupBy(attempts, (a) => a.pod.uid)
  }

  function begin(): Promise<Listed> {
    const listing = list().finally(() => (running = undefined))
    running = listing
    return listing
  }

  function fresh(): Promise<Listed> {
    if (!running) return begin()
    queued ??= running
      .catch(() => {})
      .then(() => {
        queued = undefined
        return begin()
      })
    return queued
  }

  return {
    of: async (uid) => byContainer((await fresh()).get(uid) ?? []),
    pods: async () => [...(await fresh()).values()].map((attempts) => attempts[0]!.pod),
  }
}

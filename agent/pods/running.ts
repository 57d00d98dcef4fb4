/** Which container that runs is meant by a question of the hub. */
import type { NodeCall } from '../../api/frames.ts'
import { PodError } from './error.ts'
import type { PodWorker, RunningContainer } from './pod-worker.ts'

export type ExecCall = Extract<NodeCall, { readonly method: 'exec' }>

interface Meant {
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

/** @throws PodError CONTAINER_UNKNOWN */
export function runningContainer(worker: Pick<PodWorker, 'running'> | undefined, { namespace, pod, container }: Meant): RunningContainer {
  if (!worker) throw new PodError('CONTAINER_UNKNOWN', `pod "${namespace}/${pod}" is not on this node`)
  const found = worker.running().find((c) => c.name === container)
  if (!found) throw new PodError('CONTAINER_UNKNOWN', `container "${container}" of pod "${namespace}/${pod}" does not run`)
  return found
}

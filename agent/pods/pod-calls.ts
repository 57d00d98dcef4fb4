/** What the hub asks of pods on this node while somebody waits: logs, commands, outputs, connections. */
import type { CallInput, CallPart } from '../../api/call-flow.ts'
import type { NodeCall } from '../../api/frames.ts'
import type { Container } from '../../api/objects.ts'
import { PodError } from './error.ts'
import { carry } from './forward/connection.ts'
import { loopback } from './forward/dial.ts'
import type { Forwards, ForwardTarget } from './forward/forwards.ts'
import { readLogs, type LogsOptions } from './logs.ts'
import type { PodWorker, RunningContainer } from './pod-worker.ts'
import type { Runtime } from './runtime/runtime.ts'
import { podIPs, type StepTools } from './steps.ts'

type CallOf<M extends NodeCall['method']> = Extract<NodeCall, { readonly method: M }>

export interface PodCalls {
  /** See `readLogs`. */
  logs(call: CallOf<'logs'>, signal: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * What a container says from now on. Input is for its stdin and its terminal, as far as its pod gives it one; else it is passed over.
   * @throws PodError CONTAINER_UNKNOWN; what `Runtime.attach` throws
   */
  attach(call: CallOf<'attach'>, input: AsyncIterable<CallInput>, signal: AbortSignal): AsyncIterable<CallPart>
  /** @throws PodError CONTAINER_UNKNOWN; what `Runtime.exec` throws */
  exec(call: CallOf<'exec'>, input: AsyncIterable<CallInput>, signal: AbortSignal): AsyncIterable<CallPart>
  /** A connection to a port of a pod. @throws PodError CONTAINER_UNKNOWN, CONNECT_FAILED */
  forward(call: CallOf<'forward'>, input: AsyncIterable<CallInput>, signal: AbortSignal): AsyncIterable<CallPart>
}

export interface PodCallsDeps extends Pick<StepTools, 'network' | 'hostIPs'> {
  readonly files: LogsOptions['files']
  readonly clock: LogsOptions['clock']
  readonly runtime: Runtime
  readonly forwards: Forwards
  /** The newest pod of that name on this node. */
  readonly find: (namespace: string, name: string) => PodWorker | undefined
}

export function createPodCalls(deps: PodCallsDeps): PodCalls {
  const { runtime, files, clock, find } = deps
  const running = (call: CallOf<'exec' | 'attach'>): RunningContainer => runningContainer(find(call.namespace, call.pod), call)
  return {
    logs: (call, signal) => readLogs(call, { files, clock, find }, signal),
    async *attach(call, input, signal) {
      const { id } = running(call)
      const { stdin = false, stdinOnce = false, tty = false } = containerOf(find(call.namespace, call.pod), call.container) ?? {}
      yield* runtime.attach({ id, stdin: stdin && call.stdin, stdinOnce, tty }, input, signal)
    },
    async *exec(call, input, signal) {
      const { command, stdin, tty } = call
      yield* runtime.exec({ id: running(call).id, command, stdin, tty }, input, signal)
    },
    async *forward(call, input, signal) {
      const socket = await deps.forwards.connect(targetOf(call, deps), signal)
      yield* carry(socket, input, signal)
    },
  }
}

/** @throws PodError CONTAINER_UNKNOWN */
function targetOf({ namespace, pod: name, port, to }: CallOf<'forward'>, deps: PodCallsDeps): ForwardTarget {
  const pod = deps.find(namespace, name)?.pod
  if (!pod) throw new PodError('CONTAINER_UNKNOWN', `pod "${namespace}/${name}" is not on this node`)
  const [address] = podIPs(pod, deps)
  const found = deps.network.find(pod.metadata.uid)
  if (address === undefined) throw new PodError('CONTAINER_UNKNOWN', `pod "${namespace}/${name}" has no network yet`)
  const netns = pod.spec?.hostNetwork || found.kind !== 'up' ? {} : { netns: found.network.netns }
  return { ...netns, host: to === 'loopback' ? loopback : address, port }
}

function containerOf(worker: PodWorker | undefined, name: string): Container | undefined {
  const { containers = [], initContainers = [] } = worker?.pod.spec ?? {}
  return [...containers, ...initContainers].find((c) => c.name === name)
}

/** @throws PodError CONTAINER_UNKNOWN */
function runningContainer(worker: PodWorker | undefined, { namespace, pod, container }: CallOf<'exec' | 'attach'>): RunningContainer {
  if (!worker) throw new PodError('CONTAINER_UNKNOWN', `pod "${namespace}/${pod}" is not on this node`)
  const found = worker.running().find((c) => c.name === container)
  if (!found) throw new PodError('CONTAINER_UNKNOWN', `container "${container}" of pod "${namespace}/${pod}" does not run`)
  return found
}

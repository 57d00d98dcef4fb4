/** A container runtime in memory that keeps the laws of the real one. Tests end its containers by hand. */
import { RuntimeError } from './error.ts'
import { createFakeTalk, type FakeTalk } from './fake-talk.ts'
import type { ContainerSpec, ContainerState, ExitCause, Runtime } from './runtime.ts'

export interface FakeRuntime extends Runtime, FakeTalk {
  /** The images on the node. */
  readonly images: Set<string>
  /** What a registry would give; `pullImage` fails for anything else. */
  readonly registry: Set<string>
  /** Specs of all containers that were ever started, in order. */
  readonly started: readonly ContainerSpec[]
  /** Signals that were sent to running containers, in order: `ID SIGTERM`. */
  readonly signals: readonly string[]
  /** Commands that cannot be started: their `run` fails after everything else went well. */
  readonly brokenCommands: Set<string>
  /** Containers that do not end on SIGTERM. */
  readonly stubborn: Set<string>
  /** Ends a running container. */
  exit(id: string, exitCode: number, why?: ExitCause): void
  /** A container as a crash between its creation and its start leaves it. */
  leaveCreated(spec: ContainerSpec): void
}

interface Entry {
  readonly spec: ContainerSpec
  state: Omit<ContainerState, 'id' | 'image' | 'labels'> & { phase: ContainerState['phase'] }
}

/** @param now ms since 1970, for the times that it reports */
export function createFakeRuntime(now: () => number): FakeRuntime {
  const entries = new Map<string, Entry>()
  const [images, registry] = [new Set<string>(), new Set<string>()]
  const started: ContainerSpec[] = []
  const signals: string[] = []
  const [brokenCommands, stubborn] = [new Set<string>(), new Set<string>()]
  const listeners = new Set<() => void>()
  const time = (): string => new Date(now()).toISOString()
  const changed = (): void => listeners.forEach((call) => call())
  let nextPid = 100

  const end = (id: string, exitCode: number, why?: ExitCause): void => {
    const entry = entries.get(id)
    if (entry?.state.phase !== 'running') throw new RuntimeError('CONTAINER_UNKNOWN', `no container ${id} is running`)
    entry.state = { ...entry.state, phase: 'exited', exitCode, finishedAt: time(), ...(why && { why }) } as Entry['state']
    talk.ended(id)
    changed()
  }

  const talk = createFakeTalk({ isRunning: (id) => entries.get(id)?.state.phase === 'running', exit: end })

  const begin = (spec: ContainerSpec): void => {
    if (entries.has(spec.id)) throw new RuntimeError('CONTAINER_CREATE', `there is a container ${spec.id} already`)
    if (!images.has(spec.image)) throw new RuntimeError('IMAGE_ABSENT', `the image ${spec.image} is not on this node`)
    const program = spec.command?.[0]
    if (program && brokenCommands.has(program)) {
      throw new RuntimeError('CONTAINER_CREATE', `exec: "${program}": no such file or directory`)
    }
    entries.set(spec.id, { spec, state: { phase: 'running', pid: nextPid++, createdAt: time() } as Entry['state'] })
    started.push(spec)
    talk.began(spec)
    changed()
  }

  return {
    images,
    registry,
    started,
    signals,
    brokenCommands,
    ...talk,
    stubborn,
    exit: end,
    leaveCreated: (spec) => void entries.set(spec.id, { spec, state: { phase: 'created', createdAt: time() } as Entry['state'] }),
    version: () => Promise.resolve('containerd://0.0.0-fake'),
    hasImage: (image) => Promise.resolve(images.has(image)),
    async pullImage(image, signal) {
      await Promise.resolve()
      signal.throwIfAborted()
      if (!registry.has(image)) throw new RuntimeError('IMAGE_PULL', `failed to resolve reference "${image}": not found`)
      images.add(image)
    },
    async run(spec, signal) {
      await Promise.resolve()
      signal.throwIfAborted()
      begin(spec)
    },
    list: () =>
      Promise.resolve(
        [...entries.values()].map(
          ({ spec: { id, image, labels }, state }) => ({ id, image, imageId: 'sha256:fake', labels, ...state }) as ContainerState,
        ),
      ),
    async kill(id, posixSignal) {
      await Promise.resolve()
      if (entries.get(id)?.state.phase !== 'running') return
      signals.push(`${id} ${posixSignal}`)
      if (posixSignal === 'SIGKILL') end(id, 137)
      else if (!stubborn.has(id)) end(id, 143)
    },
    async remove(id) {
      await Promise.resolve()
      if (entries.get(id)?.state.phase === 'running') {
        throw new RuntimeError('CONTAINER_CREATE', `the container ${id} runs; it has to be ended before it is removed`)
      }
      if (entries.delete(id)) changed()
    },
    watch(onChange) {
      listeners.add(onChange)
      return () => listeners.delete(onChange)
    },
  }
}

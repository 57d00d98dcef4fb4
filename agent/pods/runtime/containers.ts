/** The part of containerd's API that keeps containers (containerd.services.containers.v1, snapshots.v1). The numbers are those of its fields. */
import type { Grpc } from './grpc.ts'
import { bytesOf, read, textOf, written } from './messages.ts'

/** What this room reads and changes of a container's OCI runtime spec. */
export interface OciSpec {
  readonly process?: OciProcess
  readonly linux?: { readonly cgroupsPath?: string; readonly resources?: OciResources; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}
export interface OciProcess {
  readonly env?: readonly string[]
  readonly [field: string]: unknown
}
interface OciResources {
  readonly cpu?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

/** A container as containerd keeps it. */
export interface KeptContainer {
  readonly id: string
  readonly spec: OciSpec
  /** Who keeps its file system, and under what name. */
  readonly snapshotter: string
  readonly snapshotKey: string
}

export interface Containers {
  /** @throws GrpcError CONTAINER_UNKNOWN */
  get(id: string, signal: AbortSignal): Promise<KeptContainer>
  setSpec(id: string, spec: OciSpec, signal: AbortSignal): Promise<void>
  /** What is to be mounted for its file system: messages of containerd's type `Mount`. */
  mounts(of: KeptContainer, signal: AbortSignal): Promise<readonly Uint8Array[]>
}

const service = '/containerd.services.containers.v1.Containers'
const specType = 'types.containerd.io/opencontainers/runtime-spec/1/Spec'

export function createContainers(grpc: Grpc): Containers {
  return {
    async get(id, signal) {
      const kept = read(bytesOf(read(await grpc.ask(`${service}/Get`, written({ 1: id }), signal)), 1))
      const spec = JSON.parse(textOf(read(bytesOf(kept, 5)), 2)) as OciSpec
      return { id, spec, snapshotter: textOf(kept, 6), snapshotKey: textOf(kept, 7) }
    },
    async setSpec(id, spec, signal) {
      const value = written({ 1: specType, 2: Buffer.from(JSON.stringify(spec)) })
      await grpc.ask(`${service}/Update`, written({ 1: written({ 1: id, 5: value }), 2: written({ 1: 'spec' }) }), signal)
    },
    async mounts({ snapshotter, snapshotKey }, signal) {
      const answer = read(await grpc.ask('/containerd.services.snapshots.v1.Snapshots/Mounts', written({ 1: snapshotter, 2: snapshotKey }), signal))
      return (answer[1] ?? []).filter((mount) => mount instanceof Uint8Array)
    },
  }
}

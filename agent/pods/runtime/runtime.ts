/** The agent's contract with a container runtime. `ctr.ts` drives containerd; `fake.ts` keeps the same laws in memory. */
import type { CallInput, CallPart } from '../../../api/call-flow.ts'

export interface Runtime {
  /** e.g. `containerd://1.6.20`, as in `Node.status.nodeInfo.containerRuntimeVersion`. */
  version(signal: AbortSignal): Promise<string>
  hasImage(image: string, signal: AbortSignal): Promise<boolean>
  /** @throws RuntimeError IMAGE_PULL */
  pullImage(image: string, signal: AbortSignal): Promise<void>

  /** Creates and starts a container. @throws RuntimeError CONTAINER_CREATE, CONTAINER_CONFIG, IMAGE_ABSENT */
  run(spec: ContainerSpec, signal: AbortSignal): Promise<void>
  /** Every container of ours on this node, running or ended. */
  list(signal: AbortSignal): Promise<readonly ContainerState[]>
  /** Sends a signal to the container's first process; no error if it has ended. */
  kill(id: string, posixSignal: 'SIGTERM' | 'SIGKILL', signal: AbortSignal): Promise<void>
  /**
   * Takes an ended or never started container away; its log stays. No error if it is gone.
   * @throws RuntimeError CONTAINER_CREATE if it runs
   */
  remove(id: string, signal: AbortSignal): Promise<void>
  /**
   * Runs a command in a container that runs: yields what it says as it is read, and its exit code last. Input reaches its
   * stdin, which ends where the input does. Leaving the loop, or an abort, ends the process.
   * @throws RuntimeError CONTAINER_EXEC if it could not be started, CONTAINER_UNKNOWN if the container does not run
   */
  exec(spec: ExecSpec, input: AsyncIterable<CallInput>, signal: AbortSignal): AsyncIterable<CallPart>
  /**
   * What a container says from now on, until it ends and was listed since. Input reaches its stdin, if it has one, as fast as it reads; several may
   * speak. Where the input ends, or the loop is left, a stdin that is for one ends too; one that is not stays open, and the loop
   * ends soon after. Sizes reach its terminal.
   * @throws RuntimeError CONTAINER_UNKNOWN
   */
  attach(spec: AttachSpec, input: AsyncIterable<CallInput>, signal: AbortSignal): AsyncIterable<CallPart>
  /** Called whenever a container may have changed state, so that nobody has to poll. Returns the way to stop. */
  watch(onChange: () => void): () => void
}

export interface ExecSpec {
  /** The container's. */
  readonly id: string
  readonly command: readonly string[]
  /** Whether it has a stdin; without one it reads nothing. */
  readonly stdin: boolean
  /** Whether it has a terminal; all it says is then `out`. */
  readonly tty: boolean
}

/** A container that runs, and what of it is wanted. */
export interface AttachSpec extends ContainerStreams {
  readonly id: string
}

/** What a container has beside its outputs. */
export interface ContainerStreams {
  /** Whether it has a stdin; without one it reads nothing. */
  readonly stdin?: boolean
  /** Whether its stdin ends with the first who attaches to it and speaks. A terminal's does not. */
  readonly stdinOnce?: boolean
  /** Whether it has a terminal; all it says is then `out`. */
  readonly tty?: boolean
}

export interface ContainerSpec extends ContainerStreams {
  readonly id: string
  readonly image: string
  /** Replaces the image's entry point and arguments as `command` and `args` of a pod do; undefined keeps the image's. */
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly workingDir?: string
  readonly hostname: string
  /** Path of the pod's network namespace; undefined for the node's own. */
  readonly netns?: string
  /** Absolute cgroup path. */
  readonly cgroup: string
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly readOnly: boolean }[]
  readonly cpuMillisLimit?: number
  readonly memoryBytesLimit?: number
  /** Weight against other containers when cores are scarce; 1024 is one core's worth. */
  readonly cpuShares?: number
  readonly privileged: boolean
  readonly readOnlyRoot?: boolean
  /** Whether setuid programs may raise rights (`allowPrivilegeEscalation`); undefined means yes. */
  readonly noNewPrivileges?: boolean
  /** Added to and dropped from the runtime's usual set, by names such as `NET_ADMIN`, or `ALL`. */
  readonly capabilities?: { readonly add: readonly string[]; readonly drop: readonly string[] }
  /** Where stdout and stderr go. */
  readonly logPath: string
  readonly labels: Readonly<Record<string, string>>
}

export type ContainerState = {
  readonly id: string
  readonly image: string
  /** Digest of the image's manifest, `sha256:…`. */
  readonly imageId?: string
  readonly labels: Readonly<Record<string, string>>
  /** RFC 3339. */
  readonly createdAt?: string
} & (
  | { readonly phase: 'created' }
  | { readonly phase: 'running'; readonly pid: number }
  | { readonly phase: 'exited'; readonly exitCode: number; readonly finishedAt?: string; readonly why?: ExitCause }
)

/**
 * `oom`: the kernel killed it for want of memory. `lost`: nobody saw how it ended (the machine went down); its exit code is
 * given as 255.
 */
export type ExitCause = 'oom' | 'lost'

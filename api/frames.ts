/**
 * What hub and agent say to each other over one WebSocket, a msgpack map for each frame. docs/flow.md draws the order.
 *
 * The hub's stream of `set`, `endpoints` and `delete` is one order of revisions. A `sync` marks the point up to which everything was
 * sent; before its first one an agent knows nothing and must neither write to the kernel nor delete. A `reset` says that
 * the agent's copy is to be forgotten: what the frames up to the next `sync` do not name again is gone.
 */
import type { ContainerStatus, EndpointSlice, KubeObject, NodeStatus, PodStatus } from './objects.ts'
import type { Resource } from './resources.ts'

/** Raised with every change that an older peer would misread. */
export const protocolVersion = 5

/** Bounds that both sides hold. Bytes, except where the name says otherwise. */
export const limits = {
  frameBytes: 8 * 1024 * 1024,
  /** What may wait in a session's queue before a slow agent is cut off. */
  queueBytes: 64 * 1024 * 1024,
  /** Both sides ping this often and give up after twice the time. */
  pingMs: 5_000,
} as const

/**
 * Codes with which either side closes the WebSocket on purpose (RFC 6455: 4000 to 4999 belong to the application).
 * The reason beside the code says more, in words.
 */
export const closeCodes = {
  /** It stops, or starts again. */
  leaving: 1001,
  /** What came was no frame, or not the one whose turn it was. */
  malformed: 4000,
  /** A newer session of the same node took the place of this one. */
  replaced: 4001,
  /** The hub does not want this agent as it is: LINK_REFUSED. */
  refused: 4002,
  /** A side link to a hub that has a better connection to the same node. */
  needless: 4003,
} as const

/** The sets of objects that an agent is sent, of pods and of secrets only those of its own node. */
export const agentResources = ['nodes', 'services', 'endpointslices.discovery.k8s.io', 'pods'] as const satisfies readonly Resource[]
export type AgentResource = (typeof agentResources)[number]

// ── hub to agent ────────────────────────────────────────────────────────────

/**
 * The hub's answer to `hello`. `resumed` false means that a `reset` and the whole state follow, but on a side link nothing does.
 * `time` is ms since 1970.
 */
export interface WelcomeFrame {
  readonly kind: 'welcome'
  readonly version: number
  readonly node: string
  /** Names the order of revisions: that of the hub's store. What is held of another one cannot be resumed. */
  readonly history: string
  readonly revision: number
  readonly resumed: boolean
  readonly time: number
  /**
   * Tells this hub from the others on its store: its URL where the store names it, as the service `kubernetes` does, or else a name
   * that no other has. Absent where there are no others.
   */
  readonly hub?: string
}
export interface SetFrame {
  readonly kind: 'set'
  readonly resource: AgentResource
  readonly revision: number
  readonly object: KubeObject
}
export interface DeleteFrame {
  readonly kind: 'delete'
  readonly resource: AgentResource
  readonly revision: number
  /** `namespace/name`, or `name`. */
  readonly key: string
}
/**
 * Endpoints of a slice came, went or changed, and nothing else that a node reads: edits of what the agent holds of it since the
 * revision `from`, which go from the first place to the last and count places as they are before any of them.
 */
export interface EndpointsFrame {
  readonly kind: 'endpoints'
  readonly revision: number
  /** `namespace/name` */
  readonly key: string
  readonly from: number
  readonly edits: readonly EndpointEdit[]
  /** The annotation of this name, where the slice has it: when that changed which the slice follows. RFC 3339. */
  readonly trigger?: string
}
export interface EndpointEdit {
  readonly at: number
  /** How many go there. */
  readonly gone: number
  /** What comes in their place. */
  readonly come: readonly NonNullable<EndpointSlice['endpoints']>[number][]
}
export const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'
/** The labels of services and slices that a node reads: whose slice it is, and who else serves it. */
export const readLabels = ['kubernetes.io/service-name', 'service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'] as const

export interface SyncFrame {
  readonly kind: 'sync'
  readonly revision: number
}
export interface ResetFrame {
  readonly kind: 'reset'
}
/**
 * Frames of the stream in a row, as if each had come by itself: of a whole state there are so many that a message for each would cost
 * both sides more than what is in it.
 */
export interface SeveralFrame {
  readonly kind: 'several'
  readonly frames: readonly StreamFrame[]
}
/**
 * The hub asks the node for something; the answer is any number of `data` frames and one `end` with the same id. Some calls
 * have input too. Either side sends only as much as the other has room for (`call-flow.ts`).
 */
export interface CallFrame {
  readonly kind: 'call'
  readonly id: number
  readonly call: NodeCall
}
/** The asker went away; the node stops answering. */
export interface CancelFrame {
  readonly kind: 'cancel'
  readonly id: number
}

/** Bytes for a call that takes input: what a process reads, or a connection. */
export interface InputFrame {
  readonly kind: 'input'
  readonly id: number
  readonly bytes: Uint8Array
}
/** The input of a call ends here; its answer goes on. */
export interface InputEndFrame {
  readonly kind: 'inputEnd'
  readonly id: number
}
/** The size of the terminal that a call is shown on, in characters. */
export interface ResizeFrame {
  readonly kind: 'resize'
  readonly id: number
  readonly width: number
  readonly height: number
}
/** Either way: so much was read, and may be sent again. */
export interface RoomFrame {
  readonly kind: 'room'
  readonly id: number
  readonly room: number
}

/** A container, and what of its inputs and outputs is wanted. With `tty`, `err` is silent: a terminal has one output. */
export interface ContainerStreams {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

/** What a hub may ask of a node. */
export type NodeCall =
  /** What a container says from now on; its input goes to its stdin, if it has one. */
  | ({ readonly method: 'attach' } & ContainerStreams)
  /** A TCP connection to a port of a pod: `loopback` is the pod's own, `address` its first address. The input is what is sent. */
  | {
      readonly method: 'forward'
      readonly namespace: string
      readonly pod: string
      readonly port: number
      readonly to: 'loopback' | 'address'
    }
  /** A command in a container that runs. */
  | ({ readonly method: 'exec'; readonly command: readonly string[] } & ContainerStreams)
  | {
      readonly method: 'logs'
      readonly namespace: string
      readonly pod: string
      readonly container: string
      readonly follow: boolean
      readonly previous: boolean
      readonly tailLines?: number
      readonly limitBytes?: number
      /** RFC 3339. */
      readonly sinceTime?: string
      readonly timestamps: boolean
    }
  /** The ruleset that the kernel holds, as `nft` prints it. */
  | { readonly method: 'rules' }

/** What the hub tells of objects. */
export type StreamFrame = SetFrame | EndpointsFrame | DeleteFrame | SyncFrame | ResetFrame

export type HubFrame = WelcomeFrame | StreamFrame | SeveralFrame | CallFrame | CancelFrame | InputFrame | InputEndFrame | ResizeFrame | RoomFrame

// ── agent to hub ────────────────────────────────────────────────────────────

/**
 * First frame of an agent. `revision` is the last one that it holds in full, of that history; absent if it holds nothing.
 * With `for` it opens a side link, beside the session that the agent has with another hub: the hub sends calls alone, and is told
 * what was measured (`usage`, `podUsage`) and the answers.
 */
export interface HelloFrame {
  readonly kind: 'hello'
  readonly version: number
  readonly node: string
  readonly agent: string
  readonly revision?: number
  readonly history?: string
  readonly time: number
  readonly for?: 'calls'
}
/** How far the node's kernel is. Sent after each pass of the sync loop. */
export interface AckFrame {
  readonly kind: 'ack'
  /** The last revision that the node has received in full. */
  readonly received: number
  /** The last revision whose rules the kernel accepted. */
  readonly applied: number
  /** Set while the kernel refuses: error code and the tool's own words. */
  readonly failed?: { readonly code: string; readonly message: string }
}
export interface ReportFrame {
  readonly kind: 'report'
  readonly report: NodeReport
}
export interface DataFrame {
  readonly kind: 'data'
  readonly id: number
  readonly bytes: Uint8Array
  /** Set for what a process says on its second output. */
  readonly err?: boolean
}
export interface EndFrame {
  readonly kind: 'end'
  readonly id: number
  /** Absent when the call was answered in full. */
  readonly error?: { readonly code: string; readonly message: string }
  /** Of the process that was run, where the call was to run one. */
  readonly exitCode?: number
}

/** What a node tells of itself. */
export type NodeReport =
  /** Registration, and later every change of the node's own status. */
  | { readonly kind: 'node'; readonly labels: Readonly<Record<string, string>>; readonly status: NodeStatus }
  /** Measured load, every few seconds; kept in memory by the hub and used by the scheduler. */
  | { readonly kind: 'usage'; readonly usage: NodeUsage }
  /** Measured load of every container that runs, every some seconds; kept in memory by the hub for `kubectl top`. */
  | { readonly kind: 'podUsage'; readonly windowMs: number; readonly pods: readonly PodUsage[] }
  /** The node is alive; the hub renews its Lease. */
  | { readonly kind: 'lease' }
  | { readonly kind: 'pod'; readonly key: string; readonly uid: string; readonly status: PodStatus }
  /** Every container of a pod that was being deleted has ended; the object may go. */
  | { readonly kind: 'podGone'; readonly key: string; readonly uid: string }
  | { readonly kind: 'event'; readonly event: NodeEvent }

/** Measured, not requested. */
export interface NodeUsage {
  /** Thousandths of a core, averaged over the reporting interval. */
  readonly cpuMillis: number
  readonly memoryBytes: number
  /** What the node has in all, in the same units. */
  readonly cpuCapacityMillis: number
  readonly memoryCapacityBytes: number
}

/** Measured, of one pod. */
export interface PodUsage {
  /** `namespace/name` */
  readonly key: string
  readonly containers: readonly ContainerUsage[]
}
export interface ContainerUsage {
  readonly name: string
  /** Thousandths of a core, averaged over the window; may have a fraction. */
  readonly cpuMillis: number
  readonly memoryBytes: number
}

/** The makings of a core/v1 Event about an object on the node. */
export interface NodeEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  readonly about: {
    readonly kind: 'Pod' | 'Node' | 'Service'
    readonly namespace?: string
    readonly name: string
    readonly uid: string
    /** e.g. `spec.containers{web}` */
    readonly fieldPath?: string
  }
}

export type AgentFrame = HelloFrame | AckFrame | ReportFrame | DataFrame | EndFrame | RoomFrame
export type Frame = HubFrame | AgentFrame
export type { ContainerStatus }

/** Every error of ours has a stable `code`; callers match on it, never on the text. docs/errors.md lists all codes. */

export const errorCodes = {
  // codec and link
  FRAME_TOO_LARGE: 'a frame is larger than the other side may send',
  FRAME_MALFORMED: 'a frame is not msgpack, or not one of the frames that both sides know',
  LINK_REFUSED: 'the hub refused the agent (its name, its certificate or its version)',
  LINK_LOST: 'the connection between hub and agent ended, or fell silent past its deadline',
  // store
  STORE_EXISTS: 'an object of that name is there already',
  STORE_NOT_FOUND: 'no object of that name',
  STORE_CONFLICT: 'the object changed since it was read',
  STORE_COMPACTED: 'the asked-for revision is older than the history that is kept',
  STORE_TAKEN: 'another object holds what the object claims: an address, a port or a range',
  STORE_FENCED: 'the writer has lost the right to write, as a hub that leads no more',
  STORE_TOO_LARGE: 'an object is larger than the store takes',
  STORE_LOST: 'etcd is not reached; a write that was under way may have been done or not',
  STORE_CLOSED: 'the store was closed',
  SEAL_BROKEN: 'a sealed value could not be opened',
  STORE_BROKEN: 'the store on disk could not be read or written',
  // rules
  RULES_UNREADABLE: 'a listing of the rules, or a rule in it, is nothing that the reader knows',
  RULES_MISUSED: 'the rule maker was asked for something that it does not do',
  // kernel and processes
  KERNEL_EXISTS: 'the kernel holds an object of that name already',
  KERNEL_NOT_FOUND: 'the kernel does not hold the object that a command names',
  KERNEL_BUSY: 'the kernel object is still referenced',
  KERNEL_REFUSED: 'the kernel, or the tool that speaks to it, refused a command',
  EXEC_FAILED: 'a process ended with an error',
  EXEC_TIMEOUT: 'a process did not end within its deadline',
  // the Kubernetes API, to the drop-in proxy
  API_LOST: 'the Kubernetes API is not reached, or fell silent past its deadline',
  API_REFUSED: 'the Kubernetes API refused a request',
  API_EXPIRED: 'the Kubernetes API has forgotten the revision to go on from',
  API_UNREADABLE: 'what the Kubernetes API sent is not what it should be, or too large',
  RESTART_NEEDED: 'something that is read only at the start has changed',
  // containers
  IMAGE_PULL: 'an image could not be pulled',
  IMAGE_ABSENT: 'an image is not on the node and its pull policy is Never',
  CONTAINER_CREATE: 'a container could not be created or started',
  CONTAINER_CONFIG: 'a container asks for something that this node does not offer',
  OBJECT_ABSENT: 'a ConfigMap or a Secret that a pod names, or a key of it, is not there',
  CONTAINER_EXEC: 'a command could not be run in a container',
  CONNECT_FAILED: 'a port of a pod could not be connected to',
  CONTAINER_UNKNOWN: 'no such container on this node',
  SANDBOX_NETWORK: 'the network of a pod could not be set up',
  // people
  USAGE: 'a command or a flag is not used as it should be',
  SETUP: 'the machine lacks something that Wherry needs',
} as const

export type ErrorCode = keyof typeof errorCodes

/** The base of each room's error class. */
export class WherryError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** Whether a caught value is one of ours, with this code if one is given. */
export function isWherryError(e: unknown, code?: ErrorCode): e is WherryError {
  return e instanceof WherryError && (code === undefined || e.code === code)
}

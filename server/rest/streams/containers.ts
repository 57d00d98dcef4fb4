/** What a client asks of exec and attach. */
import type { NodeCall } from '../../../api/frames.ts'
import type { Pod } from '../../../api/objects.ts'
import { badRequest } from '../../../api/status.ts'
import { containerOf } from '../logs.ts'
import { flag } from '../query.ts'

export type ExecCall = Extract<NodeCall, { method: 'exec' }>
export type AttachCall = Extract<NodeCall, { method: 'attach' }>

/** core/v1 PodExecOptions. @throws StatusError BadRequest */
export function execCall(pod: Pod, query: URLSearchParams): ExecCall {
  const command = query.getAll('command')
  if (command.length === 0) throw badRequest('you must specify at least one command for the container')
  return { method: 'exec', ...meant(pod, query), command, ...streamsOf(query) }
}

/** core/v1 PodAttachOptions. @throws StatusError BadRequest */
export function attachCall(pod: Pod, query: URLSearchParams): AttachCall {
  return { method: 'attach', ...meant(pod, query), ...streamsOf(query) }
}

function meant(pod: Pod, query: URLSearchParams): Pick<ExecCall, 'namespace' | 'pod' | 'container'> {
  const { name, namespace = '' } = pod.metadata
  return { namespace, pod: name, container: containerOf(pod, query.get('container')) }
}

/** Outputs are wanted unless the client says otherwise; a terminal has only one. @throws StatusError BadRequest */
function streamsOf(query: URLSearchParams): Pick<ExecCall, 'stdin' | 'stdout' | 'stderr' | 'tty'> {
  const unless = (name: string): boolean => !query.has(name) || flag(query, name)
  const tty = flag(query, 'tty')
  const streams = { stdin: flag(query, 'stdin'), stdout: unless('stdout'), stderr: unless('stderr') && !tty, tty }
  if (streams.stdin || streams.stdout || streams.stderr) return streams
  throw badRequest('you must specify at least 1 of stdin, stdout, stderr')
}

/** Reads what `ctr` prints (containerd 1.6). The only file that knows its words. */

export type TaskStatus = 'CREATED' | 'RUNNING' | 'STOPPED' | 'PAUSED' | 'PAUSING' | 'UNKNOWN'

export interface TaskLine {
  readonly id: string
  readonly pid: number
  readonly status: TaskStatus
}

/** `ctr tasks ls`: a heading, then `ID PID STATUS` in columns. */
export function parseTasks(text: string): readonly TaskLine[] {
  return rows(text).flatMap(([id, pid, status]) => {
    if (!id || !pid || !status) return []
    return [{ id, pid: Number(pid), status: status as TaskStatus }]
  })
}

/** `ctr images ls name==X`: the digest of the image's manifest or index; undefined if there is no such image. */
export function parseImageDigest(text: string, image: string): string | undefined {
  return rows(text).find(([ref]) => ref === image)?.[2]
}

function rows(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[0] !== '')
}

/** `ctr version`: the server's version; undefined if it did not answer. */
export function parseServerVersion(text: string): string | undefined {
  return /^Server:\n\s+Version:\s+(\S+)/m.exec(text)?.[1]
}

/** What `ctr tasks rm` says of a task that it took away. Its own exit code is 0 whatever the task's was. */
export function parseExitCode(stderr: string): number {
  return Number(/exit with non-zero exit code (\d+)/.exec(stderr)?.[1] ?? 0)
}

export interface ContainerInfo {
  readonly id: string
  readonly image: string
  readonly labels: Readonly<Record<string, string>>
  /** RFC 3339. */
  readonly createdAt: string
  readonly cgroup?: string
}

/** `ctr containers info ID`. */
export function parseContainerInfo(text: string): ContainerInfo {
  const info = JSON.parse(text) as {
    ID: string
    Image: string
    Labels?: Record<string, string> | null
    CreatedAt: string
    Spec?: { linux?: { cgroupsPath?: string } }
  }
  const cgroup = info.Spec?.linux?.cgroupsPath
  // containerd adds labels of its own from the image.
  const labels = Object.fromEntries(Object.entries(info.Labels ?? {}).filter(([name]) => !name.startsWith('io.containerd.')))
  return { id: info.ID, image: info.Image, labels, createdAt: info.CreatedAt, ...(cgroup && { cgroup }) }
}

export type TaskEvent =
  /** The end of a container's first process. */
  | { readonly kind: 'exit'; readonly id: string; readonly code: number; readonly at: string }
  | { readonly kind: 'oom'; readonly id: string }
  | { readonly kind: 'other'; readonly id: string }

/** One line of `ctr events`: `DATE TIME ZONE ZONE NAMESPACE TOPIC JSON`. Undefined if not about a task of this namespace. */
export function parseEvent(line: string, namespace: string): TaskEvent | undefined {
  const match = /^\S+ \S+ \S+ \S+ (\S+) \/tasks\/([\w-]+) (\{.*\})\s*$/.exec(line)
  if (!match || match[1] !== namespace) return undefined
  const body = JSON.parse(match[3]!) as { container_id: string; id?: string; exit_status?: number; exited_at?: string }
  const id = body.container_id
  if (match[2] === 'oom') return { kind: 'oom', id }
  if (match[2] === 'exit' && body.id === id) return { kind: 'exit', id, code: body.exit_status ?? 0, at: body.exited_at ?? '' }
  return { kind: 'other', id }
}

/** Whether a failure says that the thing is not there (any more). */
export function saysNotFound(stderr: string): boolean {
  return /not found|process already finished|no such process/.test(stderr)
}

/** Whether a failure says that the name is taken. */
export function saysExists(stderr: string): boolean {
  return /already exists/.test(stderr)
}

/** The line of a failure that a person can use: the last one, without the tool's name. */
export function lastWords(stderr: string): string {
  const line = stderr.trim().split('\n').at(-1) ?? ''
  return line.replace(/^ctr: /, '').replace(/: unknown$/, '') || 'no reason was given'
}

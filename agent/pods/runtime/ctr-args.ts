/** A container's spec as arguments of `ctr run` (containerd 1.6). Pure. */
import { capabilityChange } from './capabilities.ts'
import type { ImageConfig } from './image-config.ts'
import type { ContainerSpec } from './runtime.ts'

/** The label that keeps the digest of the image which a container was made from. */
export const imageDigestLabel = 'wherry.io/image-digest'

/** Microseconds over which a CPU limit is enforced; the kernel's own default. */
const cpuPeriod = 100_000
/** The kernel refuses a smaller quota, in microseconds. */
const smallestQuota = 1_000

export interface RunSurroundings {
  readonly image: ImageConfig
  /** URI that containerd's shim hands stdout and stderr to. */
  readonly logUri: string
  /** Where runc keeps its containers; its own default is one place for all containerds of a machine. */
  readonly runcRoot: string
  /** What is run in place of runc. */
  readonly runc?: string
  /** A UTS namespace that holds the host name; undefined for the node's name. */
  readonly uts?: string
}

/** Everything behind `ctr run`. */
export function runArgs(spec: ContainerSpec, around: RunSurroundings): readonly string[] {
  return [
    '--detach',
    '--runc-root',
    around.runcRoot,
    ...(around.runc === undefined ? [] : ['--runc-binary', around.runc]),
    '--cgroup',
    spec.cgroup,
    '--log-uri',
    around.logUri,
    ...(spec.cpuShares ? ['--cpu-shares', String(spec.cpuShares)] : []),
    ...flagArgs(spec, around),
    ...namedArgs(spec, around),
  ]
}

/**
 * Everything behind `ctr containers create`, which knows neither cgroups nor shares (`terminals.ts` adds them), and takes any
 * word for a flag until it is told that there are no more.
 */
export function createArgs(spec: ContainerSpec, around: RunSurroundings): readonly string[] {
  return [...(spec.tty ? ['--tty'] : []), ...flagArgs(spec, around), '--', ...namedArgs(spec, around)]
}

const namedArgs = (spec: ContainerSpec, { image }: RunSurroundings): readonly string[] => [spec.image, spec.id, ...processArgs(spec, image)]

function flagArgs(spec: ContainerSpec, around: RunSurroundings): readonly string[] {
  const labels = { ...spec.labels, [imageDigestLabel]: around.image.digest }
  return [
    ...(spec.netns === undefined ? ['--net-host'] : ['--with-ns', `network:${spec.netns}`]),
    ...(around.uts === undefined ? [] : ['--with-ns', `uts:${around.uts}`]),
    ...spec.env.flatMap((e) => ['--env', `${e.name}=${e.value}`]),
    ...spec.mounts.flatMap((m) => ['--mount', mountText(m)]),
    ...(spec.workingDir ? ['--cwd', spec.workingDir] : []),
    ...limitArgs(spec),
    ...rightsArgs(spec),
    ...Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
  ]
}

/**
 * `command` and `args` of a pod against ENTRYPOINT and CMD of its image, as the Kubernetes API has it (Container v1 core):
 * a `command` alone drops the image's CMD too; `args` alone keeps its ENTRYPOINT. Empty where the image's own stays whole.
 */
export function processArgs(
  spec: Pick<ContainerSpec, 'command' | 'args'>,
  image: Pick<ImageConfig, 'entrypoint'>,
): readonly string[] {
  const command = spec.command ?? []
  const args = spec.args ?? []
  if (command.length > 0) return [...command, ...args]
  return args.length > 0 ? [...image.entrypoint, ...args] : []
}

function limitArgs(spec: ContainerSpec): readonly string[] {
  const quota = spec.cpuMillisLimit && Math.max(smallestQuota, Math.round((spec.cpuMillisLimit / 1000) * cpuPeriod))
  return [
    ...(spec.memoryBytesLimit ? ['--memory-limit', String(spec.memoryBytesLimit)] : []),
    ...(quota ? ['--cpu-quota', String(quota), '--cpu-period', String(cpuPeriod)] : []),
  ]
}

function rightsArgs(spec: ContainerSpec): readonly string[] {
  const change = spec.capabilities && !spec.privileged ? capabilityChange(spec.capabilities) : { add: [], drop: [] }
  return [
    ...(spec.privileged ? ['--privileged'] : []),
    ...(spec.readOnlyRoot ? ['--read-only'] : []),
    ...(spec.noNewPrivileges ? [] : ['--allow-new-privs']),
    ...change.add.flatMap((name) => ['--cap-add', name]),
    ...change.drop.flatMap((name) => ['--cap-drop', name]),
  ]
}

/** ctr reads a mount as one CSV record, so a field with a comma or a quote stands in quotes. */
function mountText(mount: ContainerSpec['mounts'][number]): string {
  const options = `rbind:rprivate:${mount.readOnly ? 'ro' : 'rw'}`
  const fields = ['type=bind', `src=${mount.source}`, `dst=${mount.target}`, `options=${options}`]
  return fields.map((f) => (/[",\n]/.test(f) ? `"${f.replaceAll('"', '""')}"` : f)).join(',')
}

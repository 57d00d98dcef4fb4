/** Each node's own containerd: its configuration, the demo image in it, and the end of its containers. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Exec } from '../exec.ts'
import type { LabPlan, NodePlan } from './plan.ts'

/** The containerd namespace in which Wherry's images and containers are. */
export const containerNamespace = 'wherry'

const commandMs = 20_000

/** Plugins that a node of ours has no use for; several want devices or directories of the host. */
const unused = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.tracing',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
]

/** The text of a node's containerd configuration (version 2: containerd 1.3 to 2.x read it). */
export function containerdConfig(node: NodePlan): string {
  const { root, state, socket } = node.containerd
  return [
    'version = 2',
    `root = ${JSON.stringify(root)}`,
    `state = ${JSON.stringify(state)}`,
    `disabled_plugins = [${unused.map((name) => JSON.stringify(name)).join(', ')}]`,
    '',
    '[grpc]',
    `  address = ${JSON.stringify(socket)}`,
    '',
    '[debug]',
    '  level = "warn"',
    '',
  ].join('\n')
}

/** Writes every node's configuration and makes its directories. */
export function writeContainerdConfigs(plan: LabPlan): void {
  for (const { containerd } of plan.nodes) {
    for (const dir of [dirname(containerd.config), containerd.root, containerd.state])
      mkdirSync(dir, { recursive: true, mode: 0o711 })
  }
  for (const node of plan.nodes) writeFileSync(node.containerd.config, containerdConfig(node))
}

/** Whether the node's containerd answers. */
export async function answers(node: NodePlan, exec: Exec, signal: AbortSignal): Promise<boolean> {
  if (!existsSync(node.containerd.socket)) return false
  return (await exec.tryRun(ctr(node, 'version'), { signal, timeoutMs: 5_000 }).catch(() => undefined))?.exitCode === 0
}

/** Imports an OCI archive unless the node has the image. @returns whether it had to */
export async function importImage(
  node: NodePlan,
  image: { readonly name: string; readonly archive: string },
  exec: Exec,
  signal: AbortSignal,
): Promise<boolean> {
  const options = { signal, timeoutMs: commandMs }
  const listed = await exec.run(ctr(node, 'images', 'list', '--quiet'), options)
  if (listed.stdout.split('\n').includes(image.name)) return false
  await exec.run(ctr(node, 'images', 'import', image.archive), options)
  return true
}

/** Kills and deletes every container of a node through its containerd, with what belongs to them. */
export async function killContainers(node: NodePlan, exec: Exec, signal: AbortSignal): Promise<void> {
  const options = { signal, timeoutMs: commandMs }
  const { stdout } = await exec.tryRun(ctr(node, 'containers', 'list', '--quiet'), options)
  for (const id of stdout.split('\n').filter((line) => line !== '')) {
    await exec.tryRun(ctr(node, 'tasks', 'delete', '--force', id), options)
    await exec.tryRun(ctr(node, 'containers', 'delete', id), options)
  }
}

/** Takes away what containers of a dead containerd leave outside the lab's directories: runc's state and the shim's socket. */
export async function dropBundles(stateDirs: readonly string[], exec: Exec, signal: AbortSignal): Promise<void> {
  for (const state of stateDirs) {
    const tasks = join(state, 'io.containerd.runtime.v2.task')
    for (const namespace of listed(tasks)) {
      for (const id of listed(join(tasks, namespace))) {
        const runcState = join('/run/containerd/runc', namespace)
        await exec
          .tryRun(['runc', '--root', runcState, 'delete', '--force', id], { signal, timeoutMs: commandMs })
          .catch(() => undefined)
        const address = text(join(tasks, namespace, id, 'address')).replace(/^unix:\/\//, '')
        if (address.startsWith('/run/containerd/s/')) rmSync(address, { force: true })
      }
    }
  }
}

/** The command of ctr for a node. */
export function ctr(node: NodePlan, ...argv: readonly string[]): readonly string[] {
  return ['ctr', '--address', node.containerd.socket, '--namespace', containerNamespace, ...argv]
}

function listed(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

/**
 * Container Network Interface, version 1.0.0 of its specification: a plugin is a program that gets its parameters in CNI_*
 * variables and its configuration on stdin, and prints a result or an error as JSON.
 */
import { join } from 'node:path'
import { ExecError, type Exec } from '../kernel/exec.ts'
import { NetError } from './error.ts'

export interface PodNetworkConfig {
  /** The pod ranges of the node, at most one for each family (CIDR text). */
  readonly ranges: readonly string[]
  /** Where host-local keeps which address belongs to whom. */
  readonly dataDir: string
  /** Of the pods' links, in bytes. */
  readonly mtu: number
}

export interface Attachment {
  /** Names the pod to the plugins: the key under which its address is kept. */
  readonly containerId: string
  /** Path of the network namespace; undefined for a DEL after it is gone. */
  readonly netns?: string
}

/** What the plugins said, kept for CHECK and DEL. */
export interface CniResult {
  /** The pod's addresses without their prefix length. */
  readonly addresses: readonly string[]
  readonly raw: unknown
}

export interface Cni {
  /** @throws NetError SANDBOX_NETWORK with the plugin's own words */
  add(attachment: Attachment, signal: AbortSignal): Promise<CniResult>
  /** Idempotent, as the specification asks of plugins. @throws NetError SANDBOX_NETWORK */
  del(attachment: Attachment, signal: AbortSignal): Promise<void>
  /** Whether the attachment still is as `add` left it. */
  check(attachment: Attachment, result: CniResult, signal: AbortSignal): Promise<boolean>
}

/** The network's name: host-local keeps its addresses in a folder of that name. */
export const networkName = 'wherry-pods'

const timeoutMs = 30_000

/** The configuration that plugins get. A routed veth pair for each pod; nothing is masqueraded, nodes route to each other. */
export function ptpConfig(config: PodNetworkConfig): Readonly<Record<string, unknown>> {
  const v6 = (range: string): boolean => range.includes(':')
  return {
    cniVersion: '1.0.0',
    name: networkName,
    type: 'ptp',
    ipMasq: false,
    mtu: config.mtu,
    ipam: {
      type: 'host-local',
      dataDir: config.dataDir,
      ranges: config.ranges.map((subnet) => [{ subnet }]),
      routes: config.ranges.map((range) => ({ dst: v6(range) ? '::/0' : '0.0.0.0/0' })),
    },
  }
}

/** @param pluginDir where the plugins are, e.g. /usr/lib/cni */
export function createCni(exec: Exec, pluginDir: string, config: PodNetworkConfig): Cni {
  const base = ptpConfig(config)

  async function call(command: 'ADD' | 'DEL' | 'CHECK', to: Attachment, input: unknown, signal: AbortSignal): Promise<string> {
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: to.containerId,
      CNI_NETNS: to.netns ?? '',
      CNI_IFNAME: 'eth0',
      CNI_PATH: pluginDir,
    }
    const plugin = join(pluginDir, 'ptp')
    try {
      return (await exec.run({ command: plugin, args: [], timeoutMs, env, input: JSON.stringify(input) }, signal)).stdout
    } catch (cause) {
      if (!(cause instanceof ExecError)) throw cause
      const words = errorWords(cause.stdout) ?? cause.message
      throw new NetError('SANDBOX_NETWORK', `CNI ptp ${command} of ${to.containerId}: ${words}`, { cause })
    }
  }

  return {
    async add(to, signal) {
      const raw = JSON.parse(await call('ADD', to, base, signal)) as { ips?: readonly { address: string }[] }
      const addresses = (raw.ips ?? []).map((ip) => ip.address.split('/')[0]!)
      if (addresses.length === 0) throw new NetError('SANDBOX_NETWORK', `CNI ptp gave no address to ${to.containerId}`)
      return { addresses, raw }
    },
    async del(to, signal) {
      await call('DEL', to, base, signal)
    },
    async check(to, result, signal) {
      return call('CHECK', to, { ...base, prevResult: result.raw }, signal).then(
        () => true,
        (e: unknown) => {
          if (e instanceof NetError) return false
          throw e
        },
      )
    },
  }
}

/** The error that a plugin prints: `{"code": 7, "msg": "…", "details": "…"}`. */
function errorWords(stdout: string): string | undefined {
  try {
    const { msg, details } = JSON.parse(stdout) as { msg?: string; details?: string }
    return msg && (details ? `${msg}; ${details}` : msg)
  } catch {
    return undefined
  }
}

/** ipvsadm(8) and ip(8), and their words when something goes wrong. */
import type { Family } from '../../../rules/model.ts'
import { KernelError, type KernelErrorCode } from '../errors.ts'
import { ExecError, type Exec, type Output } from '../exec.ts'

/** An interface and its addresses, as `ip -j address` tells them. */
export interface Interface {
  readonly name: string
  readonly addresses: readonly string[]
}

export interface IpvsTools {
  /** What `ipvsadm -Ln` prints: virtual servers, real servers, connections. */
  servers(signal: AbortSignal): Promise<string>
  /** What `ipvsadm -Ln --stats --exact` prints. */
  counts(signal: AbortSignal): Promise<string>
  /** Lines for `ipvsadm -R`. It goes on after a line that the kernel refuses. @throws KernelError */
  restore(lines: string, signal: AbortSignal): Promise<void>
  /** What `ip -brief address show` prints of a family. @throws KernelError */
  addresses(family: Family, signal: AbortSignal): Promise<string>
  /** Of all families. @throws KernelError */
  interfaces(signal: AbortSignal): Promise<readonly Interface[]>
  /** Lines for `ip -batch`. It stops at the first that the kernel refuses. @throws KernelError with the line */
  batch(lines: string, signal: AbortSignal): Promise<void>
}

const limits = { timeoutMs: 60_000, maxStdout: 256 << 20, env: { LC_ALL: 'C' } } as const

export function createIpvsTools(exec: Exec): IpvsTools {
  return {
    servers: async (signal) => (await ipvsadm(exec, { args: ['-Ln'] }, signal)).stdout,
    counts: async (signal) => (await ipvsadm(exec, { args: ['-Ln', '--stats', '--exact'] }, signal)).stdout,
    async restore(lines, signal) {
      const { stderr } = await ipvsadm(exec, { args: ['-R'], input: lines }, signal)
      // Its exit code is that of the last line alone.
      if (stderr.trim() !== '') throw refusal('ipvsadm', stderr, lines)
    },
    addresses: async (family, signal) => (await ip(exec, { args: ['-brief', family === 'ip' ? '-4' : '-6', 'address', 'show'] }, signal)).stdout,
    async interfaces(signal) {
      const { stdout } = await ip(exec, { args: ['-j', 'address', 'show'] }, signal)
      return interfacesOf(stdout)
    },
    async batch(lines, signal) {
      await ip(exec, { args: ['-batch', '-'], input: lines }, signal)
    },
  }
}

interface Call {
  readonly args: readonly string[]
  readonly input?: string
}

async function ipvsadm(exec: Exec, call: Call, signal: AbortSignal): Promise<Output> {
  try {
    return await exec.run({ command: 'ipvsadm', ...limits, ...call }, signal)
  } catch (e) {
    if (!(e instanceof ExecError)) throw e
    if (e.reason === 'absent') throw missing('there is no ipvsadm: install the package ipvsadm', e)
    if (/Can't initialize ipvs/.test(e.stderr)) throw missing('the kernel has no ip_vs module: modprobe ip_vs', e)
    if (e.reason === 'exit') throw refusal('ipvsadm', e.stderr, call.input ?? call.args.join(' '), e)
    throw e
  }
}

async function ip(exec: Exec, call: Call, signal: AbortSignal): Promise<Output> {
  try {
    return await exec.run({ command: 'ip', ...limits, ...call }, signal)
  } catch (e) {
    if (!(e instanceof ExecError)) throw e
    if (e.reason === 'absent') throw missing('there is no ip command: install the package iproute2', e)
    if (/Unknown device type/.test(e.stderr)) throw missing('the kernel has no dummy module: modprobe dummy', e)
    if (e.reason === 'exit') throw refusal('ip', e.stderr, call.input ?? call.args.join(' '), e)
    throw e
  }
}

function missing(what: string, cause: ExecError): KernelError {
  return new KernelError('SETUP', `ipvs: ${what}, or use mode nftables`, { said: cause.stderr.trim(), cause })
}

/** ipvs_strerror in libipvs, strerror(3), and what the kernel tells ip(8). What is not here is KERNEL_REFUSED. */
const meanings: readonly { readonly words: RegExp; readonly code: KernelErrorCode }[] = [
  { words: /already exists|File exists|already assigned/, code: 'KERNEL_EXISTS' },
  { words: /No such (service|destination|file|device)|Service not defined|Cannot find device|does not exist/, code: 'KERNEL_NOT_FOUND' },
  { words: /Cannot assign requested address|Address not found/, code: 'KERNEL_NOT_FOUND' },
  { words: /resource busy/, code: 'KERNEL_BUSY' },
]

function refusal(tool: 'ipvsadm' | 'ip', stderr: string, payload: string, cause?: unknown): KernelError {
  const said = stderr.trim().split('\n')[0]!.slice(0, 1000)
  const line = Number(/Command failed -:(\d+)/.exec(stderr)?.[1]) || undefined
  return new KernelError(
    meanings.find(({ words }) => words.test(said))?.code ?? 'KERNEL_REFUSED',
    `${tool} refused ${line === undefined ? 'a payload' : `line ${line}`}: ${said || 'without a word'}`,
    { said, line, excerpt: line === undefined ? payload.slice(0, 2000) : payload.split('\n')[line - 1], cause },
  )
}

function interfacesOf(json: string): readonly Interface[] {
  const links = JSON.parse(json || '[]') as readonly { readonly ifname?: string; readonly addr_info?: readonly { readonly local?: string }[] }[]
  return links.flatMap(({ ifname, addr_info = [] }) =>
    ifname === undefined ? [] : { name: ifname, addresses: addr_info.flatMap(({ local }) => local ?? []) },
  )
}

/**
 * A virtual machine that runs one program: QEMU without hardware acceleration, a Debian kernel, and the host's own files as its
 * root, read-only (what the machine writes is in its memory). No network devices: tests make network namespaces inside.
 */
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createExec } from '../../agent/kernel/exec.ts'
import { shellQuoted } from '../../agent/pods/runtime/shell-quoted.ts'
import { silentLog } from '../../api/log.ts'
import { initramfs } from './initramfs.ts'
import { checkout, findProgram, searchPath, type Kernel } from './kernel.ts'

export interface Job {
  /** A path, or a name to be found in the machine's PATH, which is the host's. */
  readonly command: string
  readonly args: readonly string[]
  /** All the variables that it gets, beside PATH. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The checkout by default. */
  readonly cwd?: string
}

export interface MachineOptions {
  readonly kernel: Kernel
  readonly job: Job
  /** One line of what the job says, on stdout or stderr. */
  readonly onLine: (line: string) => void
  /** From the start of QEMU; 50 minutes by default. */
  readonly deadlineMs?: number
  /** Mebibytes; 1024 by default. */
  readonly memory?: number
}

/**
 * `exit`: the job came to its end, and with it the machine; `console` is the end of what the kernel said meanwhile.
 * `death`: the machine ended and the job had not.
 */
export type MachineEnd =
  | { readonly kind: 'exit'; readonly code: number; readonly console: string }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'death'; readonly reason: string }

export interface Machine {
  /** The other end of the job's file /dev/vm/channel: bytes both ways. */
  readonly channel: Socket
  /** A directory of the host that the machine can write to, as /job. It is removed by `stop`. */
  readonly directory: string
  /** Never rejects. */
  readonly ended: Promise<MachineEnd>
  /** Ends the machine, if it has not ended, and takes away what it left on the host. */
  stop(): Promise<void>
}

/** Virtual serial ports: files in the machine's /dev/vm, sockets of these names on the host. */
const ports = ['channel', 'output'] as const

/** Of the names of machines' directories; the process that made one follows. */
const prefix = 'wherry-vm-'

/** Where a job finds the channel. */
export const channelPath = '/dev/vm/channel'

/** Boots a machine. Rejects if QEMU does not start; all that happens to the machine later is told by `ended`. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  removeOrphans()
  const directory = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`))
  const servers = ports.map(() => createServer())
  const stopped = new AbortController()
  const remove = (): void => rmSync(directory, { recursive: true, force: true })
  try {
    writeJob(directory, options)
    await Promise.all(servers.map((server, i) => once(server.listen(join(directory, ports[i]!)), 'listening')))
    const qemu = runQemu(options, directory, stopped.signal)
    const sockets = await Promise.race([Promise.all(servers.map(connection)), qemu])
    if ('kind' in sockets) throw new Error(`the test machine did not start: ${sockets.kind === 'death' ? sockets.reason : sockets.kind}`)
    const [channel, output] = sockets as [Socket, Socket]
    const said = eachLine(output, options.onLine)
    const ended = qemu.then(async (end) => {
      await said
      return end
    })
    return {
      channel,
      directory,
      ended,
      async stop() {
        stopped.abort()
        await ended
        channel.destroy()
        remove()
      },
    }
  } catch (error) {
    stopped.abort()
    remove()
    throw error
  } finally {
    for (const server of servers) server.close()
  }
}

/** Takes away the directories of processes that were ended before they could call `stop`; their machines ended with them. */
function removeOrphans(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = name.startsWith(prefix) ? /^(\d+)-/.exec(name.slice(prefix.length))?.[1] : undefined
    if (owner && !existsSync(`/proc/${owner}`)) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

async function connection(server: Server): Promise<Socket> {
  const [socket] = (await once(server, 'connection')) as [Socket]
  // The machine may end at any time, and `ended` tells it.
  socket.on('error', () => {})
  return socket
}

async function eachLine(socket: Socket, onLine: (line: string) => void): Promise<void> {
  const lines = createInterface({ input: socket, crlfDelay: Infinity })
  lines.on('line', onLine)
  await once(lines, 'close')
}

/** Everything that the machine is told, as files of its directory. */
function writeJob(directory: string, { kernel, job }: MachineOptions): void {
  const busybox = findProgram('busybox', searchPath())
  if (!busybox) throw new Error('there is no busybox on this host')
  writeFileSync(join(directory, 'initramfs'), initramfs(kernel, busybox))
  writeFileSync(join(directory, 'checkout'), `${checkout}\n`)
  writeFileSync(join(directory, 'modules'), `${kernel.modules}\n`)
  const environment = Object.entries({ ...job.env, PATH: searchPath(job.env?.PATH), TMPDIR: '/tmp' })
  const script = [
    // Names that a shell does not take cannot have been meant for the job.
    ...environment.filter(([name, value]) => value !== undefined && /^[A-Za-z_]\w*$/.test(name)).map(([name, value]) => `export ${name}=${shellQuoted(value!)}`),
    `cd ${shellQuoted(job.cwd ?? checkout)}`,
    `exec ${[job.command, ...job.args].map(shellQuoted).join(' ')}`,
  ]
  writeFileSync(join(directory, 'start'), `${script.join('\n')}\n`)
}

async function runQemu(options: MachineOptions, directory: string, stopped: AbortSignal): Promise<MachineEnd> {
  const { deadlineMs = 3_000_000 } = options
  let failure: unknown
  try {
    // A machine must not outlive the process that asked for it, however that one ends.
    const args = ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...qemuArgs(options, directory)]
    const command = { command: 'setpriv', args, timeoutMs: deadlineMs, env: { PATH: searchPath() } }
    await createExec(silentLog).run(command, stopped)
  } catch (error) {
    failure = error
  }
  if (stopped.aborted) return { kind: 'stopped' }
  const code = readOr(join(directory, 'exit'), '').trim()
  if (failure === undefined && code !== '') return { kind: 'exit', code: Number(code), console: lastWords(directory) }
  const what = failure instanceof Error ? failure.message : 'the machine went down before its job had ended'
  return { kind: 'death', reason: `${what}; ${lastWords(directory)}` }
}

/** The end of what the kernel said, for a message. */
function lastWords(directory: string): string {
  const lines = readOr(join(directory, 'console'), '').trim().split('\n').slice(-60)
  return `the last lines of its console:\n${lines.join('\n')}`
}

function qemuArgs({ kernel, memory = 1024 }: MachineOptions, directory: string): readonly string[] {
  const file = (name: string): string => plain(join(directory, name))
  // Mitigations cost an emulated machine much and guard nothing; a kernel that stumbles must not go on as if it had not.
  const commandLine = 'console=ttyS0 loglevel=5 mitigations=off panic=-1 oops=panic nowatchdog'
  return [
    ['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-nic', 'none', '-machine', 'pc', '-m', `${memory}M`],
    // Never KVM: where it can be opened it may still not work. The cache of translated code is 1 GiB unless told otherwise.
    // One processor: with two, what V8 writes to running code (WebAssembly, which strips our types) ends node now and then.
    // An old one: the extensions of later ones are younger in QEMU than in silicon, and emulating them is no faster.
    ['-accel', 'tcg,tb-size=256', '-smp', '1', '-cpu', 'Nehalem'],
    ['-kernel', kernel.image, '-initrd', file('initramfs'), '-append', commandLine, '-serial', `file:${file('console')}`],
    share('host', '/', ['readonly=on', 'multidevs=remap']),
    share('job', directory, []),
    ['-device', 'virtio-serial-pci'],
    ...ports.map((name) => serialPort(name, file(name))),
  ].flat()
}

const serialPort = (name: string, path: string): readonly string[] => [
  '-chardev',
  `socket,id=${name},path=${path}`,
  '-device',
  `virtserialport,chardev=${name},name=${name}`,
]

/** A path inside an option of QEMU, where a comma ends a word unless it is doubled. */
const plain = (path: string): string => path.replaceAll(',', ',,')

const share = (tag: string, path: string, settings: readonly string[]): readonly string[] => [
  '-fsdev',
  ['local', `id=${tag}`, `path=${plain(path)}`, 'security_model=none', ...settings].join(),
  '-device',
  `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`,
]

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}

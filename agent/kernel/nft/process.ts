/** The kernel through `nft` as a child process: the payload on its stdin, nothing on disk. */
import { listCommand, type Door, type ListingStyle } from './door.ts'
import { refusalOf } from '../errors.ts'
import { ExecError, type Command, type Exec } from '../exec.ts'
import { createOwnHands, type OwnHands } from './hands.ts'

const limits = {
  /** A load of 100,000 elements takes a second or two; a slow machine may need many. */
  timeoutMs: 60_000,
  /** A listing of 1,000,000 elements is some 60 million characters. */
  maxStdout: 256 << 20,
} as const

/**
 * nft(8): -y prints priorities as numbers, -s leaves out counters and ages, -t elements of named sets. -p prints protocols as
 * numbers: for each name that it prints, nft opens and reads /etc/protocols.
 */
const flags: Readonly<Record<ListingStyle, readonly string[]>> = {
  exact: ['-y', '-p', '-s'],
  outline: ['-y', '-p', '-s', '-t'],
  people: [],
}

/**
 * @param hands told of each process that changes something
 * @throws ExecError with the reason `absent` if nft is not installed
 */
export async function openNftProcess(exec: Exec, signal: AbortSignal, hands: OwnHands = createOwnHands()): Promise<Door> {
  const { stdout } = await exec.run({ command: 'nft', args: ['--version'] }, signal)
  const version = /v(\d\S*)/.exec(stdout)?.[1] ?? 'of an unknown version'
  return {
    how: `nft ${version} as a process`,
    async run(payload, stop) {
      let ended = (): void => {}
      try {
        await nft(exec, { args: ['-f', '-'], input: payload, onStart: (pid) => (ended = hands.addChild(pid)) }, stop)
      } finally {
        ended()
      }
    },
    list: (what, style, stop) => nft(exec, { args: [...flags[style], ...listCommand(what)] }, stop),
    close() {},
  }
}

async function nft(exec: Exec, command: Pick<Command, 'args' | 'input' | 'onStart'>, signal: AbortSignal): Promise<string> {
  try {
    // In the C locale errno has the words that errors.ts knows.
    return (await exec.run({ command: 'nft', env: { LC_ALL: 'C' }, ...limits, ...command }, signal)).stdout
  } catch (e) {
    if (e instanceof ExecError && e.reason === 'exit') throw refusalOf(e.stderr, command.input ?? command.args.join(' '), e)
    throw e
  }
}

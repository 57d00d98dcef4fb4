/** The programs of iptables, in both variants, and what they say when they refuse. */
import type { Family } from '../../../rules/model.ts'
import { KernelError, type KernelErrorCode } from '../errors.ts'
import { ExecError, type Command, type Exec } from '../exec.ts'

/** Which part of the kernel the rules are in: nf_tables, or the older ip_tables. */
export type IptablesVariant = 'nft' | 'legacy'

export interface IptablesTools {
  readonly variant: IptablesVariant
  /** For people: `iptables-nft-restore 1.8.9 (nf_tables)`. */
  readonly how: string
  /** Runs a payload, and leaves what it does not name. @throws KernelError */
  restore(payload: string, signal: AbortSignal): Promise<void>
  /**
   * All tables that are there, without making one.
   * @throws KernelError
   */
  saveAll(signal: AbortSignal): Promise<string>
  /** `filter` and `nat`, with or without counters. @throws KernelError */
  save(counters: 'with' | 'without', signal: AbortSignal): Promise<string>
}

const limits = {
  /** 100,000 rules take a second or two; a slow machine may need many. */
  timeoutMs: 60_000,
  /** A listing of 1,000,000 rules is some 200 million characters. */
  maxStdout: 512 << 20,
  /** How long to wait for other programs that hold the lock of the tables. */
  lockSeconds: 10,
} as const

const names: Readonly<Record<Family, string>> = { ip: 'iptables', ip6: 'ip6tables' }

/** Those that are installed, `nft` first. The program without a suffix counts where none has one. */
export async function findIptables(exec: Exec, family: Family, signal: AbortSignal): Promise<readonly IptablesTools[]> {
  const name = names[family]
  const suffixed = (await Promise.all([`${name}-nft`, `${name}-legacy`].map((stem) => open(exec, stem, signal)))).filter((tools) => tools !== undefined)
  if (suffixed.length > 0) return suffixed
  const plain = await open(exec, name, signal)
  return plain ? [plain] : []
}

async function open(exec: Exec, stem: string, signal: AbortSignal): Promise<IptablesTools | undefined> {
  let version: string
  try {
    version = (await exec.run({ command: `${stem}-restore`, args: ['--version'] }, signal)).stdout
  } catch (e) {
    if (e instanceof ExecError) return undefined
    throw e
  }
  const [, number = 'of an unknown version', kind = 'legacy'] = /v(\S+) \((\w+)\)/.exec(version) ?? []
  const run = (command: Pick<Command, 'args' | 'input'> & { readonly command: string }, stop: AbortSignal) => runTool(exec, command, stop)
  const save = (args: readonly string[], stop: AbortSignal): Promise<string> => run({ command: `${stem}-save`, args }, stop)
  return {
    variant: kind === 'nf_tables' ? 'nft' : 'legacy',
    how: `${stem}-restore ${number} (${kind})`,
    async restore(payload, stop) {
      await run({ command: `${stem}-restore`, args: ['--noflush', '-w', String(limits.lockSeconds)], input: payload }, stop)
    },
    saveAll: (stop) => save([], stop),
    async save(counters, stop) {
      const options = counters === 'with' ? ['-c'] : []
      return (await Promise.all(['filter', 'nat'].map((table) => save([...options, '-t', table], stop)))).join('')
    },
  }
}

async function runTool(exec: Exec, command: Pick<Command, 'command' | 'args' | 'input'>, signal: AbortSignal): Promise<string> {
  try {
    // In the C locale errno has the words that are known here.
    return (await exec.run({ env: { LC_ALL: 'C' }, timeoutMs: limits.timeoutMs, maxStdout: limits.maxStdout, ...command }, signal)).stdout
  } catch (e) {
    if (e instanceof ExecError && e.reason === 'exit') throw iptablesRefusal(command.command, e.stderr, command.input ?? command.args.join(' '), e)
    throw e
  }
}

const meanings: readonly { readonly words: RegExp; readonly code: KernelErrorCode }[] = [
  { words: /File exists|already exists/, code: 'KERNEL_EXISTS' },
  { words: /does not exist|No such file|No chain\/target\/match|matching rule exist/, code: 'KERNEL_NOT_FOUND' },
  { words: /resource busy|temporarily unavailable|xtables lock|Too many links|Directory not empty/, code: 'KERNEL_BUSY' },
]

/** Of iptables-restore: `Error occurred at line: 3`, `line 3 failed: words`, `line 3: words`. */
const placePattern = /(?:Error occurred at line: (\d+))|(?:line (\d+) failed(?:: (.*))?)|(?:^line (\d+): (.*)$)/m

/** @param stderr what the tool said of a payload that it refused; where it has no words of its own, it names the line */
export function iptablesRefusal(tool: string, stderr: string, payload: string, cause?: unknown): KernelError {
  const [, first, second, words, third, others] = placePattern.exec(stderr) ?? []
  const line = Number(first ?? second ?? third) || undefined
  const ownWords = stderr.split('\n').find((text) => text.trim() !== '')?.replace(/^\S+ v\S+ \(\w+\): /, '')
  const said = (words ?? others ?? ownWords ?? '').trim().slice(0, 1000)
  const code = meanings.find(({ words: pattern }) => pattern.test(stderr))?.code ?? 'KERNEL_REFUSED'
  return new KernelError(code, `${tool} refused ${line === undefined ? 'a payload' : `line ${line}`}: ${said || 'without a word'}`, {
    said,
    line,
    excerpt: line === undefined ? undefined : excerptOf(payload, line),
    cause,
  })
}

/** The line and its neighbours; a rule is some hundred characters. */
function excerptOf(payload: string, line: number): string {
  const first = Math.max(1, line - 2)
  return payload
    .split('\n', line + 2)
    .slice(first - 1)
    .map((text, i) => `${first + i === line ? '>' : ' '} ${first + i}: ${text.slice(0, 500)}`)
    .join('\n')
}

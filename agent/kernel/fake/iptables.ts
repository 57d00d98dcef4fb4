/** iptables in memory: the programs of one variant as an `Exec`, with the laws of iptables-restore and iptables-save. */
import { noRules, parse, prefix, type Listing } from '../../../rules/iptables/index.ts'
import { ExecError, type Command, type Exec } from '../exec.ts'
import type { Sign } from '../iptables/signs.ts'

interface FakeTable {
  /** By chain, the kernel's own first. */
  readonly chains: Map<string, string[]>
}

export interface FakeIptables {
  readonly exec: Exec
  /** What each run of a restore was given. */
  readonly payloads: readonly string[]
  /** Our part. */
  listing(): Listing
  /** All rules, as iptables-save prints them. */
  text(): string
  /** Another program runs iptables-restore --noflush. */
  meddle(payload: string): void
  readonly sign: Sign
}

const hooks: Readonly<Record<string, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
}

/** One variant alone is installed. */
export function createFakeIptables(name: 'iptables' | 'ip6tables' = 'iptables', variant: 'nft' | 'legacy' = 'nft'): FakeIptables {
  let tables = new Map<string, FakeTable>()
  let generation = 0
  const payloads: string[] = []
  const run = (payload: string): void => {
    for (const [table, lines] of sectionsOf(payload)) {
      // Each table changes as a whole, or stays as it was.
      const next = copyOf(tables.get(table) ?? emptyTable(table))
      for (const [number, line] of lines) step(next, number, line)
      checkTargets(next)
      tables = new Map([...tables, [table, next]])
      generation++
    }
  }
  const print = (only: string | undefined): string =>
    [...tables].filter(([table]) => only === undefined || table === only).map(([table, { chains }]) => printTable(table, chains)).join('')

  const answer = (command: Command): string => {
    const stem = `${name}-${variant}`
    if (command.command === `${stem}-restore` && command.args.includes('--version')) return `${stem}-restore v1.8.9 (${variant === 'nft' ? 'nf_tables' : 'legacy'})\n`
    if (command.command === `${stem}-restore`) {
      payloads.push(command.input ?? '')
      run(command.input ?? '')
      return ''
    }
    if (command.command === `${stem}-save`) return print(command.args[command.args.indexOf('-t') + 1 || Infinity])
    throw new ExecError('absent', command, { stderr: '', what: 'is not installed, or not in PATH' })
  }
  return {
    payloads,
    exec: {
      async run(command, signal) {
        signal.throwIfAborted()
        try {
          return { stdout: answer(command), stderr: '' }
        } catch (e) {
          if (!(e instanceof Refused)) throw e
          throw new ExecError('exit', command, { exitCode: 1, stderr: e.said[variant], what: 'ended with code 1' })
        }
      },
      async stream() {},
    },
    listing: () => parse(print(undefined)) ?? noRules,
    text: () => print(undefined),
    meddle: run,
    sign:
      variant === 'nft'
        ? { kind: 'count', value: () => generation, close() {} }
        : { kind: 'size', value: () => String(print(undefined).length), close() {} },
  }
}

class Refused extends Error {
  readonly said: Readonly<Record<'nft' | 'legacy', string>>

  constructor(said: Refused['said']) {
    super(said.nft)
    this.said = said
  }
}

/** The older variant does not say why. */
function law(holds: boolean, line: number, words: string): asserts holds {
  if (!holds) throw new Refused({ nft: `iptables-nft-restore: line ${line} failed: ${words}.\n`, legacy: `iptables-restore: line ${line} failed\n` })
}

type Line = readonly [number: number, text: string]

function sectionsOf(payload: string): readonly (readonly [table: string, lines: readonly Line[]])[] {
  const sections: [string, Line[]][] = []
  let open = false
  for (const [i, text] of payload.split('\n').entries()) {
    if (text === '') continue
    if (text.startsWith('*')) {
      law(!open && text.slice(1) in hooks, i + 1, 'No such table')
      sections.push([text.slice(1), []])
      open = true
    } else {
      law(open, i + 1, 'No table')
      if (text === 'COMMIT') open = false
      else sections.at(-1)![1].push([i + 1, text])
    }
  }
  law(!open, payload.split('\n').length, 'COMMIT expected')
  return sections
}

const emptyTable = (table: string): FakeTable => ({ chains: new Map(hooks[table]!.map((hook) => [hook, []])) })
const copyOf = ({ chains }: FakeTable): FakeTable => ({ chains: new Map([...chains].map(([name, rules]) => [name, [...rules]])) })
const noChain = 'No chain/target/match by that name'

function step({ chains }: FakeTable, line: number, text: string): void {
  if (text.startsWith(':')) return void chains.set(text.slice(1, text.indexOf(' ')), [])
  const [verb = '', chain = '', ...words] = text.split(' ')
  const rules = chains.get(chain)
  law(rules !== undefined, line, noChain)
  const rule = words.join(' ')
  if (verb === '-A') rules.push(rule)
  else if (verb === '-I') {
    const numbered = /^\d+$/.test(words[0] ?? '')
    const at = numbered ? Number(words[0]) : 1
    law(at >= 1 && at <= rules.length + 1, line, 'Index of insertion too big')
    rules.splice(at - 1, 0, words.slice(numbered ? 1 : 0).join(' '))
  }
  else if (verb === '-F') rules.length = 0
  else if (verb === '-D') {
    law(rules.includes(rule), line, 'Bad rule (does a matching rule exist in that chain?)')
    rules.splice(rules.indexOf(rule), 1)
  } else {
    law(verb === '-X', line, `unknown option "${verb}"`)
    const led = [...chains.values()].flat().some((other) => targetOf(other) === chain)
    law(!led && rules.length === 0, line, 'CHAIN_DEL failed (Device or resource busy)')
    chains.delete(chain)
  }
}

function checkTargets({ chains }: FakeTable): void {
  for (const to of [...chains.values()].flat().map(targetOf)) {
    if (to === undefined || !to.startsWith(prefix) || chains.has(to)) continue
    throw new Refused({ nft: `iptables-nft-restore v1.8.9 (nf_tables): Chain '${to}' does not exist\n`, legacy: `iptables-restore v1.8.9 (legacy): Couldn't load target \`${to}':No such file or directory\n` })
  }
}

const targetOf = (rule: string): string | undefined => /(?:^| )-[jg] (\S+)/.exec(rule)?.[1]

function printTable(table: string, chains: FakeTable['chains']): string {
  const names = [...chains.keys()]
  return [
    `*${table}`,
    ...names.map((name) => `:${name} ${hooks[table]!.includes(name) ? 'ACCEPT' : '-'} [0:0]`),
    ...[...chains].flatMap(([name, rules]) => rules.map((rule) => `-A ${name} ${rule}`)),
    'COMMIT',
    '',
  ].join('\n')
}

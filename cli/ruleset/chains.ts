/** What one service meets in chains as iptables-save prints them. Pure. */
import { isOf, type ServiceMarks } from './marks.ts'

interface Chain {
  readonly name: string
  /** `:NAME - [0:0]`; absent for chains that are not declared there. */
  readonly declared?: string
  readonly rules: readonly string[]
}

/** Without the rules of other services, and without the chains that lead to nothing then, or to which nothing leads. */
export function chainsOf(text: string, marks: ServiceMarks): string {
  return text
    .split(/^(?=\*\w+$)/m)
    .map((table) => (table.startsWith('*') ? tableText(table.split('\n'), marks) : ''))
    .join('')
}

function tableText([head, ...lines]: readonly string[], marks: ServiceMarks): string {
  const declared = new Map(lines.flatMap((line) => (line.startsWith(':') ? [[line.slice(1).split(' ')[0]!, line]] : [])))
  const rules = Map.groupBy(lines, nameIn)
  const names = new Set([...declared.keys(), ...rules.keys()].filter((name) => name !== undefined))
  const chains = [...names].map((name): Chain => {
    const line = declared.get(name)
    return { name, ...(line !== undefined && { declared: line }), rules: (rules.get(name) ?? []).filter((rule) => !isOthers(rule, marks)) }
  })
  const kept = reached(withRules(chains))
  return [head, ...kept.flatMap((chain) => chain.declared ?? []), ...kept.flatMap((chain) => chain.rules), 'COMMIT', ''].join('\n')
}

const nameIn = (line: string): string | undefined => /^(?:\[\d+:\d+\] )?-A (\S+)/.exec(line)?.[1]
const targetOf = (rule: string): string | undefined => / -[jg] (WHERRY-\S+)/.exec(rule)?.[1]

/** Rules of a service have its name as a comment, those for a pod that meets itself have its address twice. */
function isOthers(rule: string, marks: ServiceMarks): boolean {
  const [, comment] = / --comment "?([^\s"]+\/[^\s"]+)/.exec(rule) ?? []
  if (comment !== undefined) return !isOf(comment, marks)
  const [, source, destination] = / -s (\S+)\/\d+ -d (\S+)\/\d+ -j MASQUERADE/.exec(rule) ?? []
  return source !== undefined && source === destination && !marks.addresses.includes(source)
}

/** A rule that leads to a chain without rules goes, too. */
function withRules(chains: readonly Chain[]): readonly Chain[] {
  const full = new Set(chains.filter(({ rules }) => rules.length > 0).map(({ name }) => name))
  const left = chains.map((chain) => ({ ...chain, rules: chain.rules.filter((rule) => full.has(targetOf(rule) ?? chain.name)) }))
  return left.some((chain, i) => chain.rules.length < chains[i]!.rules.length) ? withRules(left) : left.filter(({ rules }) => rules.length > 0)
}

/** From the chains of the kernel, which are nobody's, and those that other chains lead to. */
function reached(chains: readonly Chain[]): readonly Chain[] {
  const kept = new Set(chains.filter(({ name }) => !name.startsWith('WHERRY-')))
  for (const chain of kept) {
    const targets = new Set(chain.rules.map(targetOf))
    for (const other of chains) if (targets.has(other.name)) kept.add(other)
  }
  return chains.filter((chain) => kept.has(chain))
}

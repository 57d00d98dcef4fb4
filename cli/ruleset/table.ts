/** What one service meets in a table as `nft list table` prints it. Pure. */
import { cidrContains } from '../../rules/address.ts'
import { isOf, type ServiceMarks } from './marks.ts'

/** A set, map or chain of the table: its header, what stands in it, and its elements if it has such. */
interface Block {
  readonly kind: 'set' | 'chain'
  readonly name: string
  readonly header: string
  readonly lines: readonly string[]
  readonly elements: readonly string[]
}

/** Sets up to this size that belong to no service are shown whole: they say what a pod is, or the node's own address. */
const wholeSet = 8

/** Whether an element of the table is the service's. */
export function hasService(table: string, marks: ServiceMarks): boolean {
  return parse(table).blocks.some(({ elements }) => elements.some((element) => concerns(element, marks)))
}

/**
 * Without the sets and elements that the service has no part in, the rules that ask only such sets, and the chains that
 * nothing leads to then.
 * @returns the text; `# 12 more` says what was left out of a set
 */
export function tableOf(table: string, marks: ServiceMarks): string {
  const { head, blocks, tail } = parse(table)
  const mine = (element: string): boolean => concerns(element, marks)
  const sets = blocks.filter(({ kind, elements }) => kind === 'set' && (elements.some(mine) || isWhole(elements)))
  const known = new Set(sets.map(({ name }) => name))
  const chains = blocks.flatMap((block) => (block.kind === 'chain' ? [{ ...block, lines: block.lines.filter((line) => asksOnly(line, known)) }] : []))
  const reached = reachable(chains)
  const asked = new Set([...reached].flatMap(({ lines }) => lines.flatMap(setsIn)))
  const shown = [...sets.filter(({ name, elements }) => asked.has(name) || elements.some(mine)), ...reached].map((block) => print(block, mine))
  return [...head, shown.join('\n'), ...tail]
    .filter((part) => part !== '')
    .map((part) => `${part.trimEnd()}\n`)
    .join('')
}

/** Elements of services carry comments, or keys of several parts. */
function isWhole(elements: readonly string[]): boolean {
  return elements.length > 0 && elements.length <= wholeSet && elements.every((element) => /^[\da-f.:/-]+$/.test(element))
}

function setsIn(line: string): readonly string[] {
  return [...line.matchAll(/@([a-z][\w-]*)(?!,)\b/g)].map((match) => match[1]!)
}

function asksOnly(line: string, known: ReadonlySet<string>): boolean {
  return setsIn(line).every((name) => known.has(name))
}

/** Chains with rules that a packet can come to, from those that hang on a hook. A rule that leads to a chain without rules goes, too. */
function reachable(all: readonly Block[]): readonly Block[] {
  const isEmpty = (block: Block): boolean => block.lines.every((line) => /^\s*type \w+ hook /.test(line))
  const empty = new Set(all.filter(isEmpty).map(({ name }) => name))
  const chains = all.map((block) => ({ ...block, lines: block.lines.filter((line) => !verdicts(line).some((name) => empty.has(name))) }))
  if (chains.some((chain, i) => chain.lines.length < all[i]!.lines.length)) return reachable(chains)
  const kept = new Set(chains.filter((chain) => isBase(chain) && !isEmpty(chain)))
  for (const chain of kept) {
    const names = new Set(chain.lines.flatMap(verdicts))
    for (const block of chains) if (names.has(block.name) && !isEmpty(block)) kept.add(block)
  }
  return chains.filter((chain) => kept.has(chain))
}

function concerns(element: string, marks: ServiceMarks): boolean {
  const comment = /comment "([^"]*)"/.exec(element)?.[1]
  if (comment !== undefined && isOf(comment, marks)) return true
  const words = element.replace(/comment "[^"]*"/, '').split(/[\s,]+/)
  if (words.some((word) => marks.addresses.includes(word))) return true
  if (/^[\da-f.:]+\/\d+$/.test(element)) return marks.addresses.some((address) => cidrContains(element, address))
  const port = /^(?:0\.0\.0\.0|::) \. (?:tcp|udp|sctp) \. (\d+)\b/.exec(element)?.[1]
  return port !== undefined && marks.nodePorts.includes(Number(port))
}

function verdicts(text: string): readonly string[] {
  return [...text.matchAll(/\b(?:goto|jump) ([\w-]+)/g)].map((match) => match[1]!)
}

function isBase(block: Block): boolean {
  return block.lines.some((line) => /^\s*type \w+ hook /.test(line))
}

function print(block: Block, mine: (element: string) => boolean): string {
  if (block.kind === 'chain' || block.elements.length === 0) return [block.header, ...block.lines, '\t}', ''].join('\n')
  const shown = block.elements.some(mine) ? block.elements.filter(mine) : block.elements
  const left = block.elements.length - shown.length
  const list = shown.map(
    (element, i) => `${i === 0 ? '\t\telements = { ' : '\t\t\t     '}${element}${i === shown.length - 1 ? ' }' : ','}`,
  )
  return [block.header, ...block.lines, ...list, ...(left > 0 ? [`\t\t# ${left} more`] : []), '\t}', ''].join('\n')
}

/** The table's first lines, its blocks, and its last brace. A text of another shape comes back as `head` alone. */
function parse(ruleset: string): {
  readonly head: readonly string[]
  readonly blocks: readonly Block[]
  readonly tail: readonly string[]
} {
  const lines = ruleset.split('\n')
  const head: string[] = []
  const tail: string[] = []
  const blocks: Block[] = []
  for (let i = 0; i < lines.length; i++) {
    const header = lines[i]!
    const match = /^\t(set|map|chain) ([\w-]+) \{/.exec(header)
    if (!match) {
      if (header.trim() !== '') (blocks.length === 0 ? head : tail).push(header)
      continue
    }
    const body: string[] = []
    while (++i < lines.length && lines[i] !== '\t}') body.push(lines[i]!)
    const begin = body.findIndex((line) => line.trimStart().startsWith('elements = {'))
    blocks.push({
      kind: match[1] === 'chain' ? 'chain' : 'set',
      name: match[2]!,
      header,
      lines: begin < 0 ? body : body.slice(0, begin),
      elements: begin < 0 ? [] : splitElements(body.slice(begin).join(' ')),
    })
  }
  return { head, blocks, tail }
}

/** `elements = { a, b comment "x, y" }` as `a` and `b comment "x, y"`. */
function splitElements(text: string): readonly string[] {
  const inner = text.slice(text.indexOf('{') + 1, text.lastIndexOf('}'))
  return (inner.match(/(?:"[^"]*"|[^,"])+/g) ?? [])
    .map((element) => element.trim().replaceAll(/\s+/g, ' '))
    .filter((element) => element !== '')
}

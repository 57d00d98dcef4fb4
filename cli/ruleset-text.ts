/** Cuts the text of a node's ruleset (as `nft list table` prints it) down to what one service meets on its way. Pure. */

/** By what a service is known in the rules. */
export interface ServiceMarks {
  /** `namespace/name`: elements carry it, or it and `:port name`, as a comment. */
  readonly key: string
  /** Cluster IPs and endpoints' addresses. */
  readonly addresses: readonly string[]
  readonly nodePorts: readonly number[]
}

/** A set, map or chain of the table: its header, what stands in it, and its elements if it has such. */
interface Block {
  readonly kind: 'set' | 'chain'
  readonly name: string
  readonly header: string
  readonly lines: readonly string[]
  readonly elements: readonly string[]
}

/** Sets up to this size are shown whole when a kept chain asks them: they say what a pod is, or the node's own address. */
const wholeSet = 8

/** @returns the text without the blocks and elements that the service never meets; `# 12 more` says what was left out */
export function onlyService(ruleset: string, marks: ServiceMarks): string {
  const { head, blocks, tail } = parse(ruleset)
  const mine = (element: string): boolean => concerns(element, marks)
  const targets = new Set(blocks.flatMap((block) => block.elements.filter(mine)).flatMap(verdicts))
  const kept = new Set(blocks.filter((block) => block.kind === 'chain' && (targets.has(block.name) || isBase(block))))
  for (const chain of kept) {
    const reached = new Set(chain.lines.flatMap(verdicts))
    for (const block of blocks) if (block.kind === 'chain' && reached.has(block.name)) kept.add(block)
  }
  const asked = new Set(
    [...kept].flatMap((chain) => chain.lines.flatMap((line) => line.match(/@[\w-]+/g) ?? [])).map((name) => name.slice(1)),
  )
  for (const block of blocks) {
    if (block.kind === 'set' && (asked.has(block.name) || block.elements.some(mine))) kept.add(block)
  }
  const shown = blocks.filter((block) => kept.has(block)).map((block) => print(block, mine))
  return [...head, shown.join('\n'), ...tail]
    .filter((part) => part !== '')
    .map((part) => `${part.trimEnd()}\n`)
    .join('')
}

function concerns(element: string, marks: ServiceMarks): boolean {
  const comment = /comment "([^"]*)"/.exec(element)?.[1]
  if (comment === marks.key || comment?.startsWith(`${marks.key}:`)) return true
  const words = element.replace(/comment "[^"]*"/, '').split(/[\s,]+/)
  if (words.some((word) => marks.addresses.includes(word))) return true
  const port = /^(?:tcp|udp|sctp) \. (\d+)\b/.exec(element)?.[1]
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
  const shown = block.elements.length <= wholeSet && !block.elements.some(mine) ? block.elements : block.elements.filter(mine)
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

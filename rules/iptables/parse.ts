/** Reads what iptables-save prints (iptables-save(8)): of it our chains and the rules that lead into them, nothing else. */
import { RulesError } from '../error.ts'
import { tableNames, type ChainName, type HookName, type Listing, type Rule, type Table, type TableName } from './model.ts'
import { prefix } from './names.ts'

/**
 * @param text of `iptables-save`, with counters or without; tables beside `nat` and `filter` do no harm
 * @returns undefined where nothing is ours
 * @throws RulesError RULES_UNREADABLE for a text that is no whole listing
 */
export function parse(text: string): Listing | undefined {
  const listing = { filter: emptyTable(), nat: emptyTable() }
  let table: string | undefined
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    if (line.startsWith('*')) table = line.slice(1)
    else if (table === undefined) throw new RulesError('RULES_UNREADABLE', `iptables-save: "${line}" stands outside of a table`)
    else if (line === 'COMMIT') table = undefined
    else if (isTable(table)) take(listing[table], line)
  }
  if (table !== undefined) throw new RulesError('RULES_UNREADABLE', `iptables-save: table ${table} has no end`)
  return tableNames.some((name) => listing[name].chains.size + listing[name].jumps.size > 0) ? listing : undefined
}

interface OpenTable extends Table {
  readonly chains: Map<ChainName, Rule[]>
  readonly jumps: Map<HookName, Rule[]>
}

const emptyTable = (): OpenTable => ({ chains: new Map(), jumps: new Map() })
const isTable = (name: string): name is TableName => (tableNames as readonly string[]).includes(name)
/** Which chain a rule leads to. */
const targetPattern = / (?:-j|-g) WHERRY-\S+$/

function take({ chains, jumps }: OpenTable, line: string): void {
  if (line.startsWith(':')) {
    const name = line.slice(1, line.indexOf(' '))
    if (name.startsWith(prefix)) chains.set(name, [])
    return
  }
  const rest = line.startsWith('[') ? line.slice(line.indexOf(']') + 2) : line
  if (!rest.startsWith('-A ')) throw new RulesError('RULES_UNREADABLE', `iptables-save: "${line}" is no rule`)
  const end = rest.indexOf(' ', 3)
  const chain = end < 0 ? rest.slice(3) : rest.slice(3, end)
  const rule = end < 0 ? '' : rest.slice(end + 1)
  if (chain.startsWith(prefix)) chains.get(chain)?.push(rule)
  else if (targetPattern.test(` ${rule}`)) {
    const hook = chain as HookName
    const mine = jumps.get(hook)
    if (mine) mine.push(rule)
    else jumps.set(hook, [rule])
  }
}

/** Our part of the text, in its own words: for people. Empty if nothing is ours. */
export function selectOurs(text: string): string {
  const tables: string[] = []
  let mine: string[] = []
  let head = ''
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      head = line
      mine = []
    } else if (line === 'COMMIT') {
      if (mine.length > 0) tables.push([head, ...mine, 'COMMIT', ''].join('\n'))
    } else if (line.startsWith(`:${prefix}`) || / -A WHERRY-/.test(` ${line}`) || (/(?:^| )-A /.test(line) && targetPattern.test(line))) mine.push(line)
  }
  return tables.join('')
}

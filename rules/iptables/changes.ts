/** Transactions and listings: what the one makes of the other, and how two listings differ. */
import type { Family } from '../model.ts'
import { editedRules } from './edit.ts'
import { tableNames, type ChainName, type HookName, type Listing, type Operation, type Rule, type Table, type TableName, type Transaction } from './model.ts'

export const noRules: Listing = { filter: { chains: new Map(), jumps: new Map() }, nat: { chains: new Map(), jumps: new Map() } }

/** What a kernel that held `listing` holds after a transaction that it accepted. */
export function afterwards(listing: Listing, { operations }: Transaction): Listing {
  const table = (name: TableName): Table => (operations[name].length === 0 ? listing[name] : changed(listing[name], operations[name]))
  return { filter: table('filter'), nat: table('nat') }
}

function changed(table: Table, operations: readonly Operation[]): Table {
  const chains = new Map<ChainName, readonly Rule[]>(table.chains)
  const jumps = new Map<HookName, readonly Rule[]>(table.jumps)
  for (const operation of operations) {
    if (operation.kind === 'set-chain') chains.set(operation.chain, operation.rules)
    else if (operation.kind === 'edit-chain') chains.set(operation.chain, editedRules(chains.get(operation.chain) ?? [], operation))
    else if (operation.kind === 'delete-chain') chains.delete(operation.chain)
    else if (operation.kind === 'add-jump') jumps.set(operation.hook, [operation.rule, ...(jumps.get(operation.hook) ?? [])])
    else {
      const rules = jumps.get(operation.hook) ?? []
      const left = rules.toSpliced(rules.indexOf(operation.rule), rules.includes(operation.rule) ? 1 : 0)
      if (left.length > 0) jumps.set(operation.hook, left)
      else jumps.delete(operation.hook)
    }
  }
  return { chains, jumps }
}

/** Takes all of a listing away. */
export function removalOf(family: Family, listing: Listing): Transaction {
  const table = (name: TableName): readonly Operation[] => [
    ...[...listing[name].jumps].flatMap(([hook, rules]) => rules.map((rule): Operation => ({ kind: 'delete-jump', hook, rule }))),
    ...[...listing[name].chains.keys()].map((chain): Operation => ({ kind: 'delete-chain', chain })),
  ]
  return { family, operations: { filter: table('filter'), nat: table('nat') } }
}

/** What is not as it was left, for people: `chain nat WHERRY-SERVICES changed`. */
export function* strays(left: Listing, seen: Listing): Generator<string> {
  for (const name of tableNames) {
    yield* differences(`jump from ${name}`, left[name].jumps, seen[name].jumps)
    yield* differences(`chain ${name}`, left[name].chains, seen[name].chains)
  }
}

function* differences(what: string, left: ReadonlyMap<string, readonly Rule[]>, seen: ReadonlyMap<string, readonly Rule[]>): Generator<string> {
  for (const [name, rules] of left) {
    const others = seen.get(name)
    if (!others) yield `${what} ${name} deleted`
    else if (others.length !== rules.length || !rules.every((rule, i) => rule === others[i])) yield `${what} ${name} changed`
  }
  for (const name of seen.keys()) if (!left.has(name)) yield `${what} ${name} added`
}

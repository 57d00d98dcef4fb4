/** The one printer: a transaction as the text that is sent, tested and logged. nft(8) gives the grammar. */
import type { Element, Operation, Transaction } from './model.ts'
import { tableName } from './names.ts'

/** One line for each operation, each ended by a line feed; empty for a transaction without operations. */
export function render(transaction: Transaction): string {
  const table = `${transaction.family} ${tableName}`
  return transaction.operations.map((operation) => `${ruleLine(table, operation)}\n`).join('')
}

/** @param table family and name, `ip wherry` */
export function ruleLine(table: string, operation: Operation): string {
  switch (operation.kind) {
    case 'add-table':
      return `add table ${table}`
    case 'delete-table':
      return `delete table ${table}`
    case 'add-set':
      return `add ${operation.set.kind} ${table} ${operation.set.name} { ${operation.set.type} }`
    case 'add-chain':
      return `add chain ${table} ${operation.chain}${operation.base === undefined ? '' : ` { ${operation.base} }`}`
    case 'add-rule':
      return `add rule ${table} ${operation.chain} ${operation.rule}`
    case 'add-elements':
      return `add element ${table} ${operation.set} { ${operation.elements.map(renderElement).join(', ')} }`
    case 'delete-elements':
      return `delete element ${table} ${operation.set} { ${operation.keys.join(', ')} }`
  }
}

function renderElement({ key, value, comment }: Element): string {
  const named = comment === undefined ? key : `${key} comment "${comment}"`
  return value === undefined ? named : `${named} : ${value}`
}

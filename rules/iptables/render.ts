/** The one printer: a transaction as the text that `iptables-restore --noflush` takes (iptables-restore(8)). */
import { tableNames, type Operation, type Transaction } from './model.ts'

/** Empty for a transaction without operations. Chains are named first, since rules may lead to those that come later. */
export function render({ operations }: Transaction): string {
  const lines = tableNames.flatMap((table) => {
    const mine = operations[table]
    return mine.length === 0 ? [] : [`*${table}`, ...declarations(mine), ...mine.flatMap(rules), ...mine.flatMap(deletions), 'COMMIT']
  })
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

/** A chain that is named is made, or emptied. */
function declarations(operations: readonly Operation[]): readonly string[] {
  return operations.flatMap((operation) => (operation.kind === 'set-chain' || operation.kind === 'delete-chain' ? [`:${operation.chain} - [0:0]`] : []))
}

function rules(operation: Operation): readonly string[] {
  switch (operation.kind) {
    case 'set-chain':
      return operation.rules.map((rule) => `-A ${operation.chain} ${rule}`)
    case 'edit-chain':
      return [
        ...operation.deleted.map((rule) => `-D ${operation.chain} ${rule}`),
        ...operation.inserted.map(({ at, rule }) => `-I ${operation.chain} ${at} ${rule}`),
      ]
    case 'add-jump':
      return [`-I ${operation.hook} 1 ${operation.rule}`]
    case 'delete-jump':
      return [`-D ${operation.hook} ${operation.rule}`]
    case 'delete-chain':
      return []
  }
}

function deletions(operation: Operation): readonly string[] {
  return operation.kind === 'delete-chain' ? [`-X ${operation.chain}`] : []
}

import type { Family, NodeView } from '../model.ts'
import { adopt } from './accepted.ts'
import type { Chain, Element, Listing, SetDeclaration, SetName } from './model.ts'
import { plan } from './plan.ts'

/**
 * All that the kernel should hold for a view: what a read-back after a first installation gives. Made by planning into an
 * empty table, so there is no second opinion on what is right. For comparing and explaining; costs a full pass.
 */
export function rulesetOf(family: Family, view: NodeView): Listing {
  const chains = new Map<string, Chain & { readonly rules: string[] }>()
  const sets = new Map<SetName, SetDeclaration>()
  const elements = new Map<SetName, Map<string, Element>>()
  for (const operation of plan(adopt(family, undefined), view, 'all').transaction?.operations ?? []) {
    if (operation.kind === 'add-set') {
      sets.set(operation.set.name, operation.set)
      elements.set(operation.set.name, new Map())
    } else if (operation.kind === 'add-chain') {
      const { chain: name, base } = operation
      chains.set(name, { name, ...(base !== undefined && { base }), rules: [] })
    } else if (operation.kind === 'add-rule') chains.get(operation.chain)!.rules.push(operation.rule)
    else if (operation.kind === 'add-elements') for (const element of operation.elements) elements.get(operation.set)!.set(element.key, element)
  }
  return { chains, sets, elements }
}

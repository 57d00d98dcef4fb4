import { adopt, commit } from './accepted.ts'
import type { Element, Family, Listing, NodeView } from './model.ts'
import { plan } from './plan.ts'

/**
 * All that the kernel should hold for a view: what a read-back after a first installation gives. Made by planning into an
 * empty table, so there is no second opinion on what is right. For comparing and explaining; costs a full pass.
 * @throws RulesError RULES_MISUSED for a family that is not served
 */
export function rulesetOf(family: Family, view: NodeView): Listing {
  const whole = plan(adopt(family, undefined), view, 'all')
  const { chains, sets } = commit(adopt(family, undefined), whole)
  const elements = new Map([...sets.keys()].map((set) => [set, new Map<string, Element>()]))
  for (const operation of whole.transaction?.operations ?? []) {
    if (operation.kind !== 'add-elements') continue
    for (const element of operation.elements) elements.get(operation.set)!.set(element.key, element)
  }
  return { chains, sets, elements }
}

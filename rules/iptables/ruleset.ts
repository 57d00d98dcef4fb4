import type { Family, NodeView } from '../model.ts'
import { adopt } from './accepted.ts'
import { afterwards, noRules } from './changes.ts'
import type { Listing } from './model.ts'
import { plan } from './plan.ts'

/**
 * All that the kernel should hold for a view: what a read-back after a first installation gives. Made by planning into a
 * kernel without any rule of ours, so there is no second opinion on what is right. For comparing and explaining; costs a full pass.
 */
export function rulesetOf(family: Family, view: NodeView): Listing {
  return afterwards(noRules, plan(adopt(family, undefined), view, 'all').transaction!)
}

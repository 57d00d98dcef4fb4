/** The iptables mode. The nouns are in model.ts, the fixed chains in layout.ts, the way to a service's rules in tree.ts. */
import type { Mode } from '../mode.ts'
import { adopt, commit, type Accepted, type Plan } from './accepted.ts'
import type { Listing, Transaction } from './model.ts'
import { plan } from './plan.ts'

export const iptablesMode: Mode<Listing, Accepted, Transaction, Plan> = { name: 'iptables', adopt, plan, commit }

export { adopt, commit, type Accepted, type Plan } from './accepted.ts'
export { afterwards, noRules, removalOf, strays } from './changes.ts'
export { countersOf } from './counters.ts'
export { jumps } from './layout.ts'
export { tableNames, type HookName, type Listing, type Operation, type Rule, type TableName, type Transaction } from './model.ts'
export { prefix } from './names.ts'
export { parse, selectOurs } from './parse.ts'
export { plan } from './plan.ts'
export { render } from './render.ts'
export { rulesetOf } from './ruleset.ts'
export { outcomes } from './trace.ts'

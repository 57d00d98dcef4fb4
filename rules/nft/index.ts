/** The nftables mode. The nouns are in model.ts, the layout in layout.ts. */
import type { Mode } from '../mode.ts'
import { adopt, commit, type Accepted, type Plan } from './accepted.ts'
import type { Listing, Transaction } from './model.ts'
import { note, recall } from './note.ts'
import { plan } from './plan.ts'

export const nftMode: Mode<Listing, Accepted, Transaction, Plan> = { name: 'nftables', adopt, plan, commit, note, recall }

export { adopt, commit, type Accepted, type Plan } from './accepted.ts'
export { elementForm, isDynamic, type Datum, type ElementForm } from './bytes.ts'
export { countersOf, type Count } from './counters.ts'
export { declarationOf } from './layout.ts'
export { tableName } from './names.ts'
export { note, recall } from './note.ts'
export { parse, tableIn } from './parse.ts'
export { plan } from './plan.ts'
export { render } from './render.ts'
export { rulesetOf } from './ruleset.ts'
export { outcomes, trace } from './trace.ts'
export { elementOf } from './model.ts'
export type { Element, ElementKey, Listing, Operation, SetDeclaration, SetName, Transaction } from './model.ts'

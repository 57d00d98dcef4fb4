/** The IPVS mode. The nouns are in model.ts, the rules in layout.ts, the order of a change in draft.ts. */
import type { Mode } from '../mode.ts'
import { adopt, commit, type Accepted, type Plan } from './accepted.ts'
import type { Listing, Transaction } from './model.ts'
import { planWith, type IpvsOptions } from './plan.ts'

export type IpvsMode = Mode<Listing, Accepted, Transaction, Plan>

export function createIpvsMode(options: IpvsOptions): IpvsMode {
  return { name: 'ipvs', adopt, commit, plan: (accepted, view, changed) => planWith(options, accepted, view, changed) }
}

/** With the scheduler `rr`, as kube-proxy has it by default. */
export const ipvsMode: IpvsMode = createIpvsMode({ scheduler: 'rr' })

export { adopt, commit, type Accepted, type Plan } from './accepted.ts'
export { countersOf, serverOwner } from './counters.ts'
export { isRecorded } from './draft.ts'
export { createImage, type Fault, type Image } from './image.ts'
export { deviceName, tableName, virtualOf } from './names.ts'
export { parseServers, selectServers } from './parse.ts'
export { listingOf, printedIn, printedText, selectAddresses, type Printed } from './printed.ts'
export { render, renderStep } from './render.ts'
export { rulesetOf } from './ruleset.ts'
export { outcomes, serverPlace } from './trace.ts'
export type { IpvsOptions } from './plan.ts'
export type { Listing, ServerOperation, Step, Transaction, VirtualKey } from './model.ts'

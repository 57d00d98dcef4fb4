/** What a node should do, as a kernel without a history would hold it. */
import type { Family, NodeView } from '../model.ts'
import { adopt } from './accepted.ts'
import { createImage } from './image.ts'
import type { Listing } from './model.ts'
import { planWith, type IpvsOptions } from './plan.ts'

/** @param hostAddresses of all devices but ours */
export function rulesetOf(family: Family, view: NodeView, hostAddresses: readonly string[], options: IpvsOptions = { scheduler: 'rr' }): Listing {
  const nothing: Listing = { family, servers: new Map(), device: false, addresses: new Set(), hostAddresses }
  const image = createImage(nothing)
  for (const step of planWith(options, adopt(family, nothing), view, 'all').transaction?.steps ?? []) image.apply(step)
  return image.listing
}

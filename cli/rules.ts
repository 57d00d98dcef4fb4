/** A node's rules, as its kernel holds them, through the hub. */
import { hubPaths } from '../api/hub.ts'
import type { HubClient } from './hub.ts'

/** What its agent prints: of each IP family what the tools of its mode say. @throws CliError LINK_LOST, LINK_REFUSED */
export function nodeRules(hub: HubClient, node: string, signal: AbortSignal): Promise<string> {
  return hub.text(`${hubPaths.nodes}/${encodeURIComponent(node)}/rules`, signal)
}

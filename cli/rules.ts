/** A node's rules, as its kernel holds them, through the hub. */
import { hubPaths } from '../api/hub.ts'
import { keyOf } from '../api/objects.ts'
import { type Cluster, marksOf } from './cluster.ts'
import { CliError } from './error.ts'
import type { HubClient } from './hub.ts'
import type { ServiceMarks } from './ruleset/marks.ts'

/** What `nft list table` prints on the node. @throws CliError LINK_LOST, LINK_REFUSED */
export function nodeRules(hub: HubClient, node: string, signal: AbortSignal): Promise<string> {
  return hub.text(`${hubPaths.nodes}/${encodeURIComponent(node)}/rules`, signal)
}

/** @param name `NAMESPACE/NAME`, or `NAME` for the namespace default @throws CliError USAGE */
export function serviceMarks(cluster: Cluster, name: string): ServiceMarks {
  const key = name.includes('/') ? name : `default/${name}`
  const service = cluster.services.find((candidate) => keyOf(candidate) === key)
  if (service) return marksOf(cluster, service)
  throw new CliError(
    'USAGE',
    `there is no service ${key}`,
    `name one of ${cluster.services.map(keyOf).join(', ') || 'those that you make first'}`,
  )
}

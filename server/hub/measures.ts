/** What the hub measures of itself, its store and its agents, for /metrics. */
import { addProcessMeasures } from '../../api/process-measures.ts'
import type { Labels, Registry, Sample } from '../../api/prometheus.ts'
import type { NodeLink } from '../../api/hub.ts'
import type { Kinds } from '../custom/kinds.ts'
import type { Store } from '../store/store.ts'
import type { Sessions } from './sessions.ts'

export interface MeasuresDeps {
  readonly store: Store
  readonly kinds: Kinds
  readonly sessions: Sessions
  /** The hub's own, e.g. `0.1.0`. */
  readonly version: string
}

export function addHubMeasures(registry: Registry, { store, kinds, sessions, version }: MeasuresDeps): void {
  const gauge = (name: string, help: string, value: () => number | readonly Sample[]): void => registry.measured(name, 'gauge', { help, value })
  const samples = (nodes: readonly NodeLink[], value: (node: NodeLink) => number): readonly Sample[] =>
    nodes.map((node) => ({ labels: { node: node.name }, value: value(node) }))
  // How far a node is, the hub of its session knows. That it has none here is no fault where it has one at another hub.
  const ofNodes = (value: (node: NodeLink) => number) => () => samples(sessions.nodes().filter((node) => !node.aside), value)

  registry.gauge('wherry_build_info', 'Always 1; the label tells the version of the hub.', 'labelled').set(1, { version } satisfies Labels)
  gauge('apiserver_storage_objects', 'Objects in the store, by resource.', () =>
    kinds.stored().map(({ resource }) => ({ labels: { resource }, value: store.list(resource).length })),
  )
  gauge('wherry_store_revision', 'The last committed revision.', () => store.revision)
  gauge('wherry_store_compacted_revision', 'Changes up to this revision are forgotten.', () => store.compacted)
  gauge('wherry_agent_connected', 'Whether the agent of a node is connected (1) or not (0).', ofNodes((node) => (node.connected ? 1 : 0)))
  gauge('wherry_agent_aside', 'Nodes whose session is with another hub, and that this one reaches over a side link: always 1.', () =>
    samples(sessions.nodes().filter((node) => node.aside), () => 1),
  )
  gauge('wherry_agent_received_revision', 'The last revision that the agent of a node has in full.', ofNodes((node) => node.received))
  gauge('wherry_agent_applied_revision', 'The last revision whose rules the kernel of a node accepted.', ofNodes((node) => node.applied))
  gauge('wherry_agent_failed', 'Whether the kernel of a node refuses its rules (1) or not (0).', ofNodes((node) => (node.failed ? 1 : 0)))
  addProcessMeasures(registry)
}

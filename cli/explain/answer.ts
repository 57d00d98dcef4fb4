/** `wherry explain`: reads cluster and rules from the hub, and gives the text. */
import type { Node } from '../../api/objects.ts'
import { type Cluster, readCluster } from '../cluster.ts'
import { CliError } from '../error.ts'
import type { HubClient } from '../hub.ts'
import { nodeRules } from '../rules.ts'
import { explain, type Explanation } from './explain.ts'
import { nodeAddresses, questionsOf } from './fronts.ts'
import { readKernel } from './kernel.ts'
import { readTarget, type Target } from './target.ts'
import { explanationText } from './text.ts'

export interface ExplainOptions {
  readonly node?: string
  readonly output?: 'json'
}

export interface Answer {
  readonly text: string
  /** Whether a service has what was asked for. */
  readonly served: boolean
}

/**
 * Where kernel and API disagree, both are read a second time: a change may have been on its way.
 * @throws CliError USAGE, STORE_NOT_FOUND where nobody serves the target, RULES_UNREADABLE, LINK_LOST, LINK_REFUSED
 */
export async function explainTarget(hub: HubClient, text: string, { node: name, output }: ExplainOptions, signal: AbortSignal): Promise<Answer> {
  const target = readTarget(text)
  const look = async (): Promise<{ readonly explanations: readonly Explanation[]; readonly note: string }> => {
    const cluster = await readCluster(hub, signal)
    const { node, note } = nodeFor(cluster, target, name)
    const questions = questionsOf(cluster, target, node)
    const kernel = readKernel(await nodeRules(hub, node.metadata.name, signal), node.metadata.name)
    return { explanations: explain({ cluster, node, kernel }, questions, target), note }
  }
  const first = await look()
  const { explanations, note } = first.explanations.some(({ disagreements }) => disagreements.length > 0) ? await look() : first
  return {
    text: output === 'json' ? `${JSON.stringify(explanations, null, 2)}\n` : explanations.map((explanation) => explanationText(explanation, note)).join('\n'),
    served: explanations.every(({ served }) => served),
  }
}

/**
 * The node that was asked for; else the one whose address the target is; else the first that is connected, by name.
 * @throws CliError USAGE where there is no such node, LINK_LOST where none is connected
 */
export function nodeFor({ nodes, status }: Cluster, target: Target, name: string | undefined): { readonly node: Node; readonly note: string } {
  const owner = target.kind === 'address' ? nodes.find((node) => nodeAddresses(node).includes(target.address)) : undefined
  const named = nodes.find(({ metadata }) => metadata.name === name)
  const names = nodes.map(({ metadata }) => metadata.name)
  if (name !== undefined && !named)
    throw new CliError('USAGE', `there is no node ${name}`, names.length > 0 ? `name one of ${names.join(', ')}` : 'join one: wherry join --help')
  if (named && owner && owner !== named)
    throw new CliError('USAGE', `that address belongs to ${owner.metadata.name}: ${name} would only pass its packets on`, `leave --node away, or give ${owner.metadata.name}`)
  if (named) return { node: named, note: '' }
  if (owner) return { node: owner, note: ', whose address this is' }
  const connected = new Set(status.nodes.filter((link) => link.connected || link.aside).map((link) => link.name))
  const first = nodes.filter(({ metadata }) => connected.has(metadata.name)).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0]
  if (first) return { node: first, note: ' (the first node; --node names another)' }
  throw new CliError('LINK_LOST', 'no node is connected to the hub, so no kernel can be asked', '`wherry status` shows them; a node runs `wherry agent`')
}

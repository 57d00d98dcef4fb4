/** What becomes of packets to a virtual IP: a node's kernel is asked, and the API gives the names. Pure. */
import { keyOf, type Node, type Service } from '../../api/objects.ts'
import { type Cluster, revisionOf } from '../cluster.ts'
import { disagreementsOf } from './disagreements.ts'
import { endpointsOf, isLocalOnly, type KnownEndpoint, reasonAgainst, selectionOf } from './endpoints.ts'
import { type Front, frontsOf, frontText, nobody, nodeAddresses, type Question } from './fronts.ts'
import type { KernelRules } from './kernel.ts'
import { hostOf, isKeptOut, packetOf, type Sender, sendersOf } from './senders.ts'
import type { Target } from './target.ts'
import { decisionsOf, type Decision, type Ending, endingsOf } from './visits.ts'
import { choiceIn } from './ways.ts'

export interface Visit {
  readonly sender: Sender
  readonly endings: readonly Ending[]
  /** Why it is refused or dropped, in words; absent for what is translated. */
  readonly why?: string
  readonly decisions: readonly Decision[]
}

export interface FrontStory {
  readonly front: Front
  /** The older service that has this address and port, too, and so has it alone. */
  readonly owner?: string
  readonly endpoints: readonly KnownEndpoint[]
  readonly visits: readonly Visit[]
  /** Of a cluster IP: what becomes of a pod of the node that is led to itself. Absent where that cannot happen. */
  readonly itself?: Visit
}

export interface Unused {
  readonly endpoint: KnownEndpoint
  readonly why: string
}

export interface Explanation {
  readonly node: string
  /** Absent where no service of the API has the address and port. */
  readonly service?: Service
  /** Sentences: what the kernel does and the API does not say, or the other way round. */
  readonly disagreements: readonly string[]
  readonly fronts: readonly FrontStory[]
  readonly unused: readonly Unused[]
  /** Whether a service of the API has what was asked for. */
  readonly served: boolean
}

export interface Scene {
  readonly cluster: Cluster
  readonly node: Node
  readonly kernel: KernelRules
}

interface Stage extends Scene {
  /** Of services that ask for one address and port the oldest has it. */
  owner(front: Front): string | undefined
}

/** @throws CliError STORE_NOT_FOUND where neither the API nor the kernel has anything of the target; RULES_UNREADABLE */
export function explain(scene: Scene, questions: readonly Question[], target: Target): readonly Explanation[] {
  const stage: Stage = { ...scene, owner: ownersIn(scene) }
  const all = questions.map((question) => explainQuestion(stage, question))
  const silent = all.every(({ service, fronts }) => service === undefined && fronts.every(({ visits }) => visits.every(({ endings }) => endings.every(isPassed))))
  if (silent && target.kind !== 'service') throw nobody(scene.cluster, target)
  return all
}

const isPassed = ({ fate }: Ending): boolean => fate.kind === 'passed'

function explainQuestion(scene: Stage, { service, fronts }: Question): Explanation {
  const { cluster, node } = scene
  const stories = fronts.map((front) => storyOf(scene, front, service))
  const served = fronts.some(({ portName }) => portName !== undefined)
  const owned = stories.filter(({ owner }) => owner === undefined)
  const disagreements = service || !served ? disagreementsOf(owned, service, node.metadata.name) : []
  return {
    node: node.metadata.name,
    ...(service && { service }),
    disagreements: disagreements.length > 0 && service ? [...disagreements, ...delayOf(cluster, service, node)] : disagreements,
    fronts: stories,
    unused: unusedOf(owned),
    served,
  }
}

function storyOf(scene: Stage, front: Front, service: Service | undefined): FrontStory {
  const { cluster, node } = scene
  const owner = service && scene.owner(front)
  const endpoints = service && front.portName !== undefined ? endpointsOf(cluster, service, front, node) : []
  const itself = meetingItself(scene, front, endpoints)
  return {
    front,
    ...(owner !== undefined && service && owner !== keyOf(service) && { owner }),
    endpoints,
    visits: sendersOf(cluster, node, front, service).map((sender) => visitOf(scene, { front, service, endpoints, sender })),
    ...(itself && { itself }),
  }
}

function meetingItself({ node, kernel }: Scene, front: Front, endpoints: readonly KnownEndpoint[]): Visit | undefined {
  const own = nodeAddresses(node)
  const endpoint = front.kind === 'cluster-ip' ? endpoints.find(({ node: place, address, pod }) => place === 'here' && pod !== undefined && !own.includes(address)) : undefined
  if (!endpoint) return undefined
  const sender: Sender = { kind: 'pod', name: endpoint.pod!, source: endpoint.address }
  const ways = kernel.ways(hostOf(node), packetOf(sender, front, kernel)).filter(({ fate }) => fate.kind === 'translated' && fate.address === sender.source)
  // Which endpoint it was is told of the other senders.
  const chosen = new Set(ways.map(({ steps }) => choiceIn(steps)?.text))
  return ways.length === 0 ? undefined : { sender, endings: endingsOf(ways), decisions: decisionsOf(ways).filter(({ text }) => !chosen.has(text)) }
}

interface Asked {
  readonly front: Front
  readonly service: Service | undefined
  readonly endpoints: readonly KnownEndpoint[]
  readonly sender: Sender
}

function visitOf({ node, kernel }: Scene, asked: Asked): Visit {
  const ways = kernel.ways(hostOf(node), packetOf(asked.sender, asked.front, kernel))
  const endings = endingsOf(ways)
  const lost = ways.find(({ fate }) => fate.kind !== 'translated')
  const decisions = decisionsOf(ways)
  const why = lost && reasonFor(asked, { kind: lost.fate.kind, isOwn: lost.steps.some((step) => kernel.isOwnDrop(step)), node: node.metadata.name })
  return { sender: asked.sender, endings, ...(why !== undefined && { why }), decisions }
}

function reasonFor({ front, service, endpoints, sender }: Asked, { kind, isOwn, node }: { readonly kind: string; readonly isOwn: boolean; readonly node: string }): string | undefined {
  if (kind === 'passed') return undefined
  const isDrop = kind === 'dropped' && isOwn
  if (isDrop && service && isKeptOut(service, front, sender)) return 'no source range has its address'
  if (!service || front.portName === undefined) return kind === 'refused' ? 'no service has this port' : undefined
  const { exist, local } = selectionOf(endpoints)
  if (kind === 'refused') return exist ? undefined : endpoints.length === 0 ? 'the service has no endpoint' : 'no endpoint is ready'
  if (!isLocalOnly(service, front, sender) || local.length > 0 || !isDrop) return undefined
  return `the ${front.kind === 'cluster-ip' ? 'internal' : 'external'} traffic policy is Local, and ${node} has no endpoint`
}

function ownersIn({ cluster, node }: Scene): Stage['owner'] {
  const age = (service: Service): string => `${service.metadata.creationTimestamp} ${keyOf(service)}`
  const owners = new Map<string, Service>()
  for (const service of cluster.services.toSorted((a, b) => (age(a) < age(b) ? 1 : -1))) {
    for (const front of frontsOf(service, node)) owners.set(frontText(front), service)
  }
  return (front) => {
    const owner = owners.get(frontText(front))
    return owner && keyOf(owner)
  }
}

/** Endpoints of the API that no sender can be given on any front. */
function unusedOf(stories: readonly FrontStory[]): readonly Unused[] {
  const used = new Set(stories.flatMap(({ visits }) => visits.flatMap(({ endings }) => endings.map(({ fate }) => (fate.kind === 'translated' ? `${fate.address} ${fate.port}` : '')))))
  const unused = new Map<string, Unused>()
  for (const { endpoints } of stories) {
    const { cluster } = selectionOf(endpoints)
    for (const endpoint of endpoints) {
      const key = `${endpoint.address} ${endpoint.port}`
      if (!used.has(key)) unused.set(key, { endpoint, why: cluster.includes(endpoint) ? awayReason(endpoint) : reasonAgainst(endpoint) })
    }
  }
  return [...unused.values()]
}

function awayReason({ node, nodeName }: KnownEndpoint): string {
  return node === 'here' ? 'the rules lack it' : `it is on ${nodeName ?? 'no node that is known'}, and the policy is Local or the rules lack it`
}

/** Why a kernel may not be as the API is. */
function delayOf({ status, ...cluster }: Cluster, service: Service, node: Node): readonly string[] {
  const link = status.nodes.find(({ name }) => name === node.metadata.name)
  if (link?.failed) return [`its kernel refused the last change, ${link.failed.code}: ${link.failed.message}`]
  if (!link?.connected) return ['its agent is not connected to this hub']
  const revision = revisionOf({ status, ...cluster }, service)
  return link.applied < revision ? [`it is behind: revision ${link.applied} of ${revision} is in its kernel`] : []
}

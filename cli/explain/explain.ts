/** What becomes of packets to a virtual IP: a node's kernel is asked, and the API gives the names. Pure. */
import { keyOf, type Node, type Service } from '../../api/objects.ts'
import { type Cluster, revisionOf } from '../cluster.ts'
import { disagreementsOf } from './disagreements.ts'
import { endpointsOf, isLocalOnly, type KnownEndpoint, reasonAgainst, selectionOf } from './endpoints.ts'
import { type Front, frontsOf, frontText, nobody, type Question } from './fronts.ts'
import type { KernelRules } from './kernel.ts'
import { hostOf, isKeptOut, packetOf, type Sender, sendersOf } from './senders.ts'
import type { Target } from './target.ts'
import { decisionsOf, type Decision, type Ending, endingsOf } from './visits.ts'

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

/** @throws CliError STORE_NOT_FOUND where neither the API nor the kernel has anything of the target; RULES_UNREADABLE */
export function explain(scene: Scene, questions: readonly Question[], target: Target): readonly Explanation[] {
  const all = questions.map((question) => explainQuestion(scene, question))
  const silent = all.every(({ service, fronts }) => service === undefined && fronts.every(({ visits }) => visits.every(({ endings }) => endings.every(isPassed))))
  if (silent && target.kind !== 'service') throw nobody(scene.cluster, target)
  return all
}

const isPassed = ({ fate }: Ending): boolean => fate.kind === 'passed'

function explainQuestion(scene: Scene, { service, fronts }: Question): Explanation {
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

function storyOf(scene: Scene, front: Front, service: Service | undefined): FrontStory {
  const { cluster, node } = scene
  const owner = service && ownerOf(scene, front)
  const endpoints = service && front.portName !== undefined ? endpointsOf(cluster, service, front, node) : []
  return {
    front,
    ...(owner !== undefined && service && owner !== keyOf(service) && { owner }),
    endpoints,
    visits: sendersOf(cluster, node, front, service).map((sender) => visitOf(scene, { front, service, endpoints, sender })),
  }
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

/** Of services that ask for one address and port the oldest has it. */
function ownerOf({ cluster, node }: Scene, front: Front): string | undefined {
  const text = frontText(front)
  const rivals = cluster.services.filter((service) => frontsOf(service, node).some((other) => frontText(other) === text))
  const age = (service: Service): string => `${service.metadata.creationTimestamp} ${keyOf(service)}`
  const [oldest] = rivals.toSorted((a, b) => (age(a) < age(b) ? -1 : 1))
  return oldest && keyOf(oldest)
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

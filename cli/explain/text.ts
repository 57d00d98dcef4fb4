/** An explanation for people. Pure. */
import { keyOf, type Service } from '../../api/objects.ts'
import { portsText } from '../cluster.ts'
import { formatTable } from '../table.ts'
import type { Explanation, FrontStory, Unused, Visit } from './explain.ts'
import { type Front, frontText, socketText } from './fronts.ts'
import type { Decision, Ending } from './visits.ts'

const kinds: Readonly<Record<Front['kind'], string>> = {
  'cluster-ip': 'cluster IP', 'node-port': 'node port', 'load-balancer-ip': 'load balancer IP', 'external-ip': 'external IP',
}

/** @param note behind the node's name: why it is this one */
export function explanationText({ node, service, disagreements, fronts, unused }: Explanation, note = ''): string {
  const groups = new Map<string, string>()
  return [
    ...disagreements.map((sentence) => `Kernel and API disagree: ${sentence}.\n`),
    ...(disagreements.length > 0 ? ['\n'] : []),
    `${service ? `${keyOf(service)}  ${service.spec?.type ?? 'ClusterIP'}` : 'No service'}  as the kernel of ${node} has it${note}\n`,
    ...(service ? [termsOf(service)] : []),
    ...fronts.map((story) => `\n${storyText(story, node, groups)}`),
    ...(unused.length > 0 ? [`\nNot used:\n${unusedText(unused)}`] : []),
  ].join('')
}

function termsOf(service: Service): string {
  const { spec } = service
  const seconds = spec?.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800
  const terms = [
    portsText(service),
    `internal policy ${spec?.internalTrafficPolicy ?? 'Cluster'}`,
    ...(spec?.externalTrafficPolicy ? [`external policy ${spec.externalTrafficPolicy}`] : []),
    spec?.sessionAffinity === 'ClientIP' ? `affinity ClientIP for ${seconds} s (what a new client meets is below)` : 'no affinity',
    ...(spec?.loadBalancerSourceRanges?.length ? [`source ranges ${spec.loadBalancerSourceRanges.join(', ')}`] : []),
  ]
  return `${terms.join(', ')}\n`
}

/** Which endpoints were listed already, and under which front. */
type Groups = Map<string, string>

function storyText({ front, owner, endpoints, visits, itself }: FrontStory, node: string, groups: Groups): string {
  const name = front.portName === undefined ? ', a port that no service has' : front.portName === '' ? '' : `, port ${front.portName}`
  const alike = isAlike(visits)
  const names = alike ? ['from anyone'] : visits.map((visit) => senderText(visit, node))
  const self = itself?.sender.name === undefined ? '' : `from ${itself.sender.name}`
  const width = Math.max(...[...names, self].map((text) => text.length), 0)
  const told = (alike ? visits.slice(0, 1) : visits).map((visit, i) => {
    const group = groupOf(visit.endings, endpoints)
    const before = groups.get(group.key)
    if (before === undefined && group.rows.length > 0) groups.set(group.key, frontText(front))
    const listing = before === undefined && group.rows.length > 0 ? formatTable(group.rows[0]!, group.rows.slice(1), ' '.repeat(width + 6)) : ''
    const where = before === undefined || before === frontText(front) ? '' : ` of ${before}`
    const outcome = outcomeText(visit, node, before === undefined ? 'new' : { where })
    return `  ${names[i]!.padEnd(width)}  ${outcome}\n${listing}`
  })
  const decisions = decisionRows(itself ? [...visits, itself] : visits)
  return [
    `${frontText(front)}  ${kinds[front.kind]}${name}\n`,
    ...(owner === undefined ? [] : [`  ${owner} is older and has this address and port; what follows is its traffic\n`]),
    ...told,
    ...(itself ? [`  ${self.padEnd(width)}  to itself, ${itself.endings.every(({ masqueraded }) => masqueraded) ? `seen as ${node}` : 'keeps its address'}\n`] : []),
    ...(decisions.length === 0 ? [] : [formatTable(decisions[0]!, decisions.slice(1), '  ')]),
  ].join('')
}

/** Whether the same becomes of everybody's packets. */
function isAlike(visits: readonly Visit[]): boolean {
  return visits.length > 2 && new Set(visits.map(({ endings, why }) => JSON.stringify([endings, why]))).size === 1
}

function senderText({ sender: { kind, range } }: Visit, node: string): string {
  if (kind === 'pod') return 'from a pod'
  if (kind === 'node') return `from ${node}`
  return range === undefined ? 'from outside' : range.kind === 'inside' ? `from ${range.cidr}` : 'from elsewhere'
}

/** @param listed `new`: its endpoints are listed behind it; else where they were */
function outcomeText({ endings, why }: Visit, node: string, listed: 'new' | { readonly where: string }): string {
  const served = endings.filter(({ fate }) => fate.kind === 'translated')
  const lost = endings.filter(({ fate }) => fate.kind !== 'translated')
  const parts = lost.map((ending) => `${lossText(ending, why)}${ending.share === 1 ? '' : `, ${shareText(ending.share)}`}`)
  if (served.length === 0) return parts.join('; ')
  const hidden = served.filter(({ masqueraded }) => masqueraded).length
  const source = hidden === 0 ? 'keeps its address' : hidden === served.length ? `seen as ${node}` : `in part seen as ${node}`
  const count = new Set(served.map(placeOf)).size
  const one = listed === 'new' ? (count === 1 ? 'to one endpoint' : `to one of ${count} endpoints`) : count === 1 ? `to the same one${listed.where}` : `to one of the same ${count}${listed.where}`
  return [`${one}, ${source}`, ...parts].join('; ')
}

function lossText({ fate }: Ending, why: string | undefined): string {
  const reason = why === undefined ? '' : `: ${why}`
  if (fate.kind === 'refused') return `refused (${fate.answer === 'tcp-reset' ? 'TCP reset' : 'ICMP port unreachable'})${reason}`
  return fate.kind === 'dropped' ? `dropped${reason}` : 'not translated: the rules do nothing with it'
}

const shareText = (share: number | undefined): string => (share === undefined ? 'of an unknown share' : `${Math.round(share * 1000) / 10} % of new connections`)
const placeOf = ({ fate }: Ending): string => (fate.kind === 'translated' ? socketText(fate.address, fate.port) : '')

interface Group {
  readonly key: string
  readonly rows: readonly (readonly string[])[]
}

/** One row for each endpoint that packets are translated to; with its share, where not all have the same. */
function groupOf(endings: readonly Ending[], endpoints: FrontStory['endpoints']): Group {
  const shares = new Map<string, number | undefined>()
  for (const ending of endings) {
    if (ending.fate.kind !== 'translated') continue
    const name = placeOf(ending)
    shares.set(name, ending.share === undefined ? undefined : (shares.get(name) ?? 0) + ending.share)
  }
  const [first] = shares.values()
  const isUneven = [...shares.values()].some((share) => share === undefined || Math.abs(share - first!) > first! * 1e-4) || endings.some(({ fate }) => fate.kind !== 'translated')
  const rows = [...shares].map(([name, share]) => {
    const known = endpoints.find(({ address, port }) => socketText(address, port) === name)
    return [name, known ? (known.pod ?? 'no pod') : 'unknown to the API', known?.nodeName ?? '', ...(isUneven ? [shareText(share)] : [])]
  })
  return { key: JSON.stringify(rows), rows }
}

/** Each decision once, in the order of the packet that met most of them; a rule that stands in two chains names both. */
function decisionRows(visits: readonly Visit[]): readonly (readonly string[])[] {
  const rows = new Map<string, Decision>()
  for (const { decisions } of visits.toReversed().toSorted((a, b) => b.decisions.length - a.decisions.length)) {
    for (const decision of decisions) {
      const before = rows.get(decision.text)
      const places = before?.place.split(', ') ?? []
      rows.set(decision.text, places.includes(decision.place) ? before! : { ...decision, place: [...places, decision.place].join(', ') })
    }
  }
  return [...rows.values()].map(({ place, text, others }, i) => [i === 0 ? 'by' : '', place, `${text}${others > 0 ? `  and ${others} more` : ''}`])
}

function unusedText(unused: readonly Unused[]): string {
  const rows = unused.map(({ endpoint: { address, port, pod, nodeName }, why }) => [socketText(address, port), pod ?? 'no pod', nodeName ?? '', why])
  return formatTable(rows[0]!, rows.slice(1), '  ')
}

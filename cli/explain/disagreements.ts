/** Where a kernel and the API say different things of a service. Pure. */
import type { Service } from '../../api/objects.ts'
import type { EndpointView } from '../../rules/model.ts'
import { isLocalOnly, reasonAgainst, selectionOf } from './endpoints.ts'
import type { FrontStory, Visit } from './explain.ts'
import { frontText, socketText } from './fronts.ts'
import { isKeptOut } from './senders.ts'

/**
 * One sentence for each endpoint, whatever the number of fronts. Pods are not compared: what they may do where nobody can tell them
 * from strangers is the node's business.
 */
export function disagreementsOf(stories: readonly FrontStory[], service: Service | undefined, node: string): readonly string[] {
  const found = new Map<string, Set<string>>()
  for (const story of stories) {
    const told = (sentence: string): unknown => found.set(sentence, (found.get(sentence) ?? new Set()).add(frontText(story.front)))
    if (story.itself?.endings.some(({ masqueraded }) => !masqueraded))
      told(`${story.itself.sender.name} is led to itself by FRONT, and the rules of NODE do not masquerade that: it gets no answer`)
    for (const visit of story.visits) {
      if (visit.sender.kind === 'pod') continue
      for (const sentence of compared(story, visit, service)) told(sentence)
    }
  }
  return [...found].map(([sentence, fronts]) => sentence.replace('FRONT', [...fronts].join(', ')).replace('NODE', node))
}

function compared({ front, endpoints }: FrontStory, visit: Visit, service: Service | undefined): readonly string[] {
  const used = visit.endings.flatMap(({ fate }) => (fate.kind === 'translated' ? [socketText(fate.address, fate.port)] : []))
  if (service && isKeptOut(service, front, visit.sender)) return used.length === 0 ? [] : [`the rules of NODE for FRONT let ${visit.sender.source} in, though no source range has it`]
  const selection = selectionOf(endpoints)
  const isLocal = service !== undefined && isLocalOnly(service, front, visit.sender)
  const wanted = isLocal ? selection.local : selection.cluster
  const names = wanted.map(nameOf)
  if (used.length === 0 && wanted.length > 0) return [`the rules of NODE lead FRONT to nobody, though ${wanted.length === 1 ? 'an endpoint is' : `${wanted.length} endpoints are`} usable`]
  const isListed = service !== undefined && front.portName !== undefined
  if (isListed && wanted.length === 0 && visit.endings.some(({ fate }) => fate.kind === 'passed')) return ['the rules of NODE have nothing for FRONT']
  return [
    ...used.filter((name) => !names.includes(name)).map((name) => {
      const known = endpoints.find((endpoint) => nameOf(endpoint) === name)
      const why = !known ? 'the API names no such endpoint' : selection.cluster.some((endpoint) => nameOf(endpoint) === name) ? 'it is on another node and the policy is Local' : `by the API it is ${reasonAgainst(known)}`
      return `${name} is in the rules of NODE for FRONT, but ${why}`
    }),
    ...names.filter((name) => !used.includes(name)).map((name) => `${name} is usable by the API, but the rules of NODE for FRONT lack it`),
  ]
}

const nameOf = ({ address, port }: Pick<EndpointView, 'address' | 'port'>): string => socketText(address, port)

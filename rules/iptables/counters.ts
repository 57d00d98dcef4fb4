/** How many connections each front and endpoint has got, from the counters that the kernel keeps for each rule. */
import type { Count } from '../nft/counters.ts'

const rulePattern = /^\[(\d+):\d+\] -A WHERRY-\S+ (.*) -j DNAT --to-destination (\S+)$/
const destinationPattern = /(?:^| )-d (\S+?)\/(?:32|128) /
const portPattern = /-p (\w+) -m \w+ --dport (\d+) /
const commentPattern = /--comment "([^"]*)"/

/**
 * New connections since the rule was written last: a chain that changes is written whole, and its counters begin again.
 * @param text what `iptables-save -c` prints
 */
export function countersOf(text: string): readonly Count[] {
  const counts = new Map<string, { service: string; front: string; endpoint: string; connections: number }>()
  const services = new Map<string, string>()
  for (const line of text.split('\n')) {
    const frontText = frontOf(line)
    const service = commentPattern.exec(line)?.[1]
    if (frontText !== undefined && service !== undefined && line.includes(' -A WHERRY-')) services.set(frontText, service)
    const [, packets, match, endpoint] = rulePattern.exec(line) ?? []
    const front = match === undefined ? undefined : frontOf(`${match} `)
    if (front === undefined) continue
    const id = `${front} ${endpoint}`
    const count = counts.get(id)
    if (count) count.connections += Number(packets)
    else counts.set(id, { service: '', front, endpoint: endpoint!, connections: Number(packets) })
  }
  return [...counts.values()].map((count) => ({ ...count, service: services.get(count.front) ?? '' }))
}

function frontOf(match: string): string | undefined {
  const [, protocol, port] = portPattern.exec(match) ?? []
  return protocol === undefined ? undefined : `${destinationPattern.exec(match)?.[1] ?? '*'} ${protocol} ${port}`
}

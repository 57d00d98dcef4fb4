/** How many connections each front and endpoint has got, from the counters that the kernel keeps in the maps. */
import { anyAddress } from '../address.ts'
import { extensionOf, setNames } from './names.ts'

/** New connections since the endpoint was programmed last; the packets of an open connection are not counted. */
export interface Count {
  /** `namespace/service:port`; `` where the listing names none. */
  readonly service: string
  /** `10.96.0.1 tcp 80`, or `* tcp 30080` for a NodePort. */
  readonly front: string
  /** `10.244.1.2:8080` */
  readonly endpoint: string
  readonly connections: number
}

const elementPattern = /([0-9a-f.:]+ \. \w+ \. \d+) \. \S+ counter packets (\d+) bytes \d+(?: comment "([^"]*)")? : (\S+) \. (\d+)/g
const blockPattern = /\tmap (\S+) \{([\s\S]*?)\n\t\}/g

/** @param text what `nft list table` prints */
export function countersOf(text: string): readonly Count[] {
  const counts = new Map<string, { service: string; front: string; endpoint: string; connections: number }>()
  const services = new Map<string, string>()
  for (const [, name, body] of text.matchAll(blockPattern)) {
    if (!countedMaps.has(name!) && !['endpoints', 'outsiders'].includes(extensionOf(name!)?.kind ?? '')) continue
    for (const [, key, packets, comment, address, port] of body!.matchAll(elementPattern)) {
      const front = frontOf(key!)
      const endpoint = address!.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
      if (comment !== undefined) services.set(front, comment)
      const id = `${front} ${endpoint}`
      const count = counts.get(id)
      if (count) count.connections += Number(packets)
      else counts.set(id, { service: '', front, endpoint, connections: Number(packets) })
    }
  }
  return [...counts.values()].map((count) => ({ ...count, service: services.get(count.front) ?? '' }))
}

const countedMaps: ReadonlySet<string> = new Set([setNames.rememberedEndpoints, setNames.rememberedOutsiders])

function frontOf(key: string): string {
  const [address, protocol, port] = key.split(' . ')
  return `${Object.values(anyAddress).includes(address!) ? '*' : address} ${protocol} ${port}`
}

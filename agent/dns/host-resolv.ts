/** Where this node asks for names: resolv.conf(5), which is read nowhere else. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'

export interface ResolvConf {
  /** IP addresses; three at most, as in the C library. */
  readonly nameservers: readonly string[]
  readonly searches: readonly string[]
  /** e.g. `ndots:2` */
  readonly options: readonly string[]
}

export interface HostResolvPaths {
  readonly own: string
  /** Where systemd-resolved tells of the servers behind its stub (systemd-resolved.service(8)). */
  readonly systemd: string
}

const defaultPaths: HostResolvPaths = { own: '/etc/resolv.conf', systemd: '/run/systemd/resolve/resolv.conf' }
/** Where systemd-resolved answers, for processes of the node only. */
const stubs: readonly string[] = ['127.0.0.53', '127.0.0.54']
const mostServers = 3

/**
 * As of now: the node's own file, or, where that only names systemd-resolved's stub, what is behind the stub. A file that
 * cannot be read counts as empty.
 */
export function readHostResolv({ own, systemd }: HostResolvPaths = defaultPaths): ResolvConf {
  const first = parseResolvConf(textOf(own))
  if (!first.nameservers.some((address) => stubs.includes(address))) return first
  const behind = parseResolvConf(textOf(systemd))
  return behind.nameservers.length > 0 ? behind : first
}

export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = []
  let searches: readonly string[] = []
  let options: readonly string[] = []
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.replace(/[#;].*$/, '').trim().split(/\s+/)
    if (keyword === 'nameserver' && isIP(values[0] ?? '') !== 0) nameservers.push(values[0]!)
    // Of `domain` and `search` the last one counts.
    if (keyword === 'domain') searches = values.slice(0, 1)
    if (keyword === 'search') searches = values
    if (keyword === 'options') options = [...options, ...values]
  }
  const first = [...new Set(nameservers)].slice(0, mostServers)
  return { nameservers: first, searches: searches.filter((name) => name !== '.'), options }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

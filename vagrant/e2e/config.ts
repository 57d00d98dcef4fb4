/** The only reader of the environment in this room. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface RunConfig {
  /** Where boxes are kept between runs. */
  readonly cache: string
  /** What this run makes, beside boxes; empty afterwards unless `keep`. */
  readonly work: string
  /** The network namespace that everything happens in. */
  readonly namespace: string
  readonly workers: number
  /** First three parts of the machines' network. */
  readonly net: string
  /** Leave the machines standing. */
  readonly keep: boolean
  /** Parts to run, or words of the checks to run; empty for all. */
  readonly only: readonly string[]
  /** The folder of the Vagrantfile. */
  readonly folder: string
  readonly path: string
  /** A file with a root tarball of Debian's packages that the box builder takes, or makes. */
  readonly base?: string
  /** How npm and Debian's packages are reached from here (npm's settings, proxies, certificates), for who builds the box. */
  readonly reach: Readonly<Record<string, string>>
  readonly colour: boolean
}

const ofReach = /^(npm_config_|(https?|no)_proxy$|NODE_EXTRA_CA_CERTS$|SSL_CERT_(FILE|DIR)$)/i

const administratorsPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): RunConfig {
  const cache = env.WHERRY_E2E_CACHE ?? '/var/cache/wherry'
  const reach = Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value !== undefined && ofReach.test(name) ? [[name, value]] : [])))
  const given = (env.PATH ?? '').split(':').filter((dir) => dir !== '')
  return {
    cache,
    work: env.WHERRY_E2E_WORK ?? join(cache, 'e2e'),
    namespace: env.WHERRY_E2E_NAMESPACE ?? 'wherry-e2e',
    workers: Number(env.WHERRY_WORKERS ?? '2'),
    net: env.WHERRY_NET ?? '192.168.60',
    keep: env.WHERRY_E2E_KEEP === '1',
    only: (env.WHERRY_E2E_ONLY ?? '').split(',').filter((part) => part !== ''),
    folder: dirname(dirname(fileURLToPath(import.meta.url))),
    path: [...given, ...administratorsPath.filter((dir) => !given.includes(dir))].join(':'),
    reach,
    ...(env.WHERRY_E2E_BASE !== undefined && { base: env.WHERRY_E2E_BASE }),
    colour: process.stdout.isTTY === true && !env.NO_COLOR,
  }
}

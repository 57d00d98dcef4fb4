/** Reads a kubeconfig file: the current context's server, its CA and a client certificate. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { CliError } from './error.ts'

/** How to reach a hub as one of its users. PEM texts. */
export interface HubAccess {
  /** `https://HOST:PORT` */
  readonly server: string
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

interface Named<K extends string, T> {
  readonly name: string
  readonly value?: T
  readonly [key: string]: unknown
  readonly kind?: K
}

/** @throws CliError USAGE naming the file and what it lacks */
export function readKubeconfig(file: string): HubAccess {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new CliError(
      'USAGE',
      `there is no kubeconfig at ${file}`,
      'start a lab with `wherry up`, or name a file with --kubeconfig FILE',
      { cause: error },
    )
  }
  return parseKubeconfig(text, file)
}

/** @param file only for what errors say */
export function parseKubeconfig(text: string, file: string): HubAccess {
  const config = parse(text) as Record<string, unknown>
  const context = pick(config, 'contexts', 'context', String(config['current-context']), file)
  const cluster = pick(config, 'clusters', 'cluster', String(context['cluster']), file)
  const user = pick(config, 'users', 'user', String(context['user']), file)
  const server = cluster['server']
  if (typeof server !== 'string' || !server.startsWith('https://')) throw lacks(file, 'an https server')
  return {
    server,
    ca: pem(cluster, 'certificate-authority', file),
    certificate: pem(user, 'client-certificate', file),
    key: pem(user, 'client-key', file),
  }
}

function pick(config: Record<string, unknown>, list: string, field: string, name: string, file: string): Record<string, unknown> {
  const entries = (config[list] ?? []) as readonly Named<string, unknown>[]
  const found = entries.find((entry) => entry.name === name)?.[field]
  if (typeof found !== 'object' || found === null) throw lacks(file, `the ${field} ${name}`)
  return found as Record<string, unknown>
}

/** From `NAME-data` (base64), or the file that `NAME` names. */
function pem(from: Record<string, unknown>, name: string, file: string): string {
  const data = from[`${name}-data`]
  if (typeof data === 'string') return Buffer.from(data, 'base64').toString('utf8')
  const path = from[name]
  if (typeof path === 'string') return readFileSync(path, 'utf8')
  throw lacks(file, name)
}

function lacks(file: string, what: string): CliError {
  return new CliError(
    'USAGE',
    `the kubeconfig ${file} lacks ${what}`,
    'wherry needs a file with server, CA and client certificate, such as the one that `wherry up` writes',
  )
}

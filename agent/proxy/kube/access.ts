/**
 * Where the Kubernetes API is and who we are to it: from a kubeconfig file (client-go's clientcmd/v1 Config), or from what
 * Kubernetes mounts into every pod. Files that are named are not read here but when they are needed, so that what rotates
 * is followed.
 */
import { dirname, isAbsolute, join } from 'node:path'
import { parse } from 'yaml'
import { ProxyError } from '../error.ts'

/** Bytes that are at hand, or in a file that may change. */
export type Material = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'file'; readonly path: string }

/** How we prove who we are, beside a client certificate. */
export type Bearer =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: Material }
  | { readonly kind: 'exec'; readonly plugin: ExecPlugin }

/** client.authentication.k8s.io: a program that prints an ExecCredential. */
export interface ExecPlugin {
  readonly apiVersion: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly provideClusterInfo: boolean
  readonly installHint?: string
}

export interface Access {
  /** `https://HOST:PORT`, perhaps with a path; plain http where somebody says so. */
  readonly server: URL
  readonly ca?: Material
  readonly insecure: boolean
  /** The name to look for in the server's certificate instead of the host's. */
  readonly serverName?: string
  readonly certificate?: { readonly cert: Material; readonly key: Material }
  readonly bearer: Bearer
}

export interface AccessDeps {
  /** @throws where there is no such file */
  readonly readFile: (path: string) => string
  /** Of a pod's environment: where the API is. */
  readonly surroundings: { readonly host?: string; readonly port?: string }
}

const account = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * @param given paths and URLs of flags or configuration; without any, the pod's own service account
 * @throws ProxyError USAGE that names the file, the field and the way out; SETUP outside a pod
 */
export function readAccess(given: { readonly kubeconfig?: string; readonly master?: string }, deps: AccessDeps): Access {
  if (given.kubeconfig !== undefined) return withServer(fromKubeconfig(given.kubeconfig, deps), given.master)
  if (given.master !== undefined) return { server: urlOf(given.master, '--master'), insecure: false, bearer: { kind: 'none' } }
  return inCluster(deps)
}

const withServer = (access: Access, master: string | undefined): Access =>
  master === undefined ? access : { ...access, server: urlOf(master, '--master') }

function inCluster({ readFile, surroundings: { host, port } }: AccessDeps): Access {
  const way = 'give --kubeconfig FILE, or clientConnection.kubeconfig in the configuration'
  if (host === undefined || port === undefined) throw new ProxyError('SETUP', `no API server is named, and this is no pod of Kubernetes: ${way}`)
  try {
    readFile(`${account}/token`)
  } catch (cause) {
    throw new ProxyError('SETUP', `this pod has no service account token at ${account}/token: let one be mounted, or ${way}`, { cause })
  }
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    ca: { kind: 'file', path: `${account}/ca.crt` },
    insecure: false,
    bearer: { kind: 'token', token: { kind: 'file', path: `${account}/token` } },
  }
}

type Fields = Readonly<Record<string, unknown>>

function fromKubeconfig(file: string, { readFile }: AccessDeps): Access {
  const whole = readYaml(file, readFile)
  const context = pick(whole, { list: 'contexts', field: 'context', name: whole['current-context'] }, file)
  const cluster = pick(whole, { list: 'clusters', field: 'cluster', name: context['cluster'] }, file)
  const user = context['user'] === undefined || context['user'] === '' ? {} : pick(whole, { list: 'users', field: 'user', name: context['user'] }, file)
  for (const field of ['proxy-url']) if (isGiven(cluster[field])) throw unsupported(file, field, 'the API server must be reached directly')
  for (const field of ['auth-provider', 'username', 'password', 'as', 'as-uid', 'as-groups', 'as-user-extra']) {
    if (isGiven(user[field])) throw unsupported(file, field, 'use a client certificate, a token, a tokenFile or exec')
  }
  const server = text(cluster, 'server')
  if (server === undefined) throw lacks(file, 'a server')
  const material = (from: Fields, name: string): Material | undefined => materialOf(from, name, file)
  const [ca, cert, key] = [material(cluster, 'certificate-authority'), material(user, 'client-certificate'), material(user, 'client-key')]
  if ((cert === undefined) !== (key === undefined)) throw lacks(file, cert ? 'client-key to its client-certificate' : 'client-certificate to its client-key')
  const serverName = text(cluster, 'tls-server-name')
  return {
    server: urlOf(server, `${file}: server`),
    ...(ca && { ca }),
    insecure: cluster['insecure-skip-tls-verify'] === true,
    ...(serverName !== undefined && { serverName }),
    ...(cert && key && { certificate: { cert, key } }),
    bearer: bearerOf(user, file),
  }
}

function readYaml(file: string, readFile: AccessDeps['readFile']): Fields {
  try {
    const whole: unknown = parse(readFile(file))
    if (isMap(whole)) return whole
  } catch (cause) {
    throw new ProxyError('USAGE', `the kubeconfig ${file} cannot be read: ${(cause as Error).message}`, { cause })
  }
  throw lacks(file, 'everything: it is no map of fields')
}

function bearerOf(user: Fields, file: string): Bearer {
  // As in client-go a token file, which may be renewed, goes before a token.
  const tokenFile = text(user, 'tokenFile')
  if (tokenFile !== undefined) return { kind: 'token', token: { kind: 'file', path: besides(file, tokenFile) } }
  const token = text(user, 'token')
  if (token !== undefined) return { kind: 'token', token: { kind: 'text', text: token } }
  const plugin = user['exec']
  if (!isMap(plugin)) return { kind: 'none' }
  return { kind: 'exec', plugin: pluginOf(plugin, file) }
}

const execVersions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']

function pluginOf(plugin: Fields, file: string): ExecPlugin {
  const [command, apiVersion, installHint] = [text(plugin, 'command'), text(plugin, 'apiVersion'), text(plugin, 'installHint')]
  if (command === undefined) throw lacks(file, 'exec.command')
  if (apiVersion === undefined || !execVersions.includes(apiVersion)) {
    throw unsupported(file, `exec.apiVersion ${apiVersion ?? ''}`, `expected ${execVersions.join(' or ')}`)
  }
  if (plugin['interactiveMode'] === 'Always') throw unsupported(file, 'exec.interactiveMode Always', 'nobody sits at the proxy')
  const env = Array.isArray(plugin['env']) ? (plugin['env'] as readonly unknown[]).filter(isMap) : []
  return {
    apiVersion,
    // A path with a slash is meant from the file's own folder, a bare name is looked up in PATH.
    command: command.includes('/') ? besides(file, command) : command,
    args: Array.isArray(plugin['args']) ? (plugin['args'] as readonly unknown[]).map(String) : [],
    env: Object.fromEntries(env.map((e) => [String(e['name']), String(e['value'])])),
    provideClusterInfo: plugin['provideClusterInfo'] === true,
    ...(installHint !== undefined && { installHint }),
  }
}

function pick(whole: Fields, { list, field, name }: { list: string; field: string; name: unknown }, file: string): Fields {
  if (typeof name !== 'string' || name === '') throw lacks(file, list === 'contexts' ? 'a current-context' : `the name of its context's ${field}`)
  const entries = Array.isArray(whole[list]) ? (whole[list] as readonly unknown[]).filter(isMap) : []
  const found = entries.find((entry) => entry['name'] === name)?.[field]
  if (!isMap(found)) throw lacks(file, `the ${field} ${name}`)
  return found
}

/** From `NAME-data` (base64), or the file that `NAME` names. */
function materialOf(from: Fields, name: string, file: string): Material | undefined {
  const data = text(from, `${name}-data`)
  if (data !== undefined) return { kind: 'text', text: Buffer.from(data, 'base64').toString('utf8') }
  const path = text(from, name)
  return path === undefined ? undefined : { kind: 'file', path: besides(file, path) }
}

function urlOf(where: string, source: string): URL {
  try {
    const url = new URL(/^[a-z]+:\/\//.test(where) ? where : `http://${where}`)
    if (url.protocol === 'https:' || url.protocol === 'http:') return url
  } catch {
    // Said below.
  }
  throw new ProxyError('USAGE', `${source} ${where}: expected a URL such as https://192.0.2.1:6443`)
}

const text = (from: Fields, name: string): string | undefined => {
  const value = from[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0)
const isMap = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const besides = (file: string, path: string): string => (isAbsolute(path) ? path : join(dirname(file), path))

const lacks = (file: string, what: string): ProxyError =>
  new ProxyError('USAGE', `the kubeconfig ${file} lacks ${what}; see that kubectl --kubeconfig ${file} works`)
const unsupported = (file: string, field: string, way: string): ProxyError =>
  new ProxyError('USAGE', `the kubeconfig ${file}: ${field} is not supported: ${way}`)

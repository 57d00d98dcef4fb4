/** What goes with each request to prove who we are. Files are read again when they changed, plugins run again when due. */
import type { Exec } from '../../kernel/exec.ts'
import { ProxyError } from '../error.ts'
import type { Access, ExecPlugin, Material } from './access.ts'

/** PEM texts. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface Proof {
  readonly ca?: string
  readonly token?: string
  readonly certificate?: Certificate
}

export interface Credentials {
  /** What holds now. @throws ProxyError SETUP where a file is gone or the plugin fails */
  proof(signal: AbortSignal): Promise<Proof>
  /** The server did not accept what was given last: do not give it again without looking anew. */
  refused(): void
}

export interface CredentialsDeps {
  readonly access: Access
  readonly readFile: (path: string) => string
  /** For credential plugins. */
  readonly exec: Exec
  readonly now: () => number
}

/** Files are as good as new for so long, as in client-go. */
const fileMs = 60_000
const pluginTimeoutMs = 60_000
/** A credential is renewed so long before its end. */
const earlyMs = 10_000

export function createCredentials({ access, readFile, exec, now }: CredentialsDeps): Credentials {
  const read = createReader(readFile, now)
  let held: { readonly issued: Issued; readonly until: number } | undefined

  const issued = async (plugin: ExecPlugin, signal: AbortSignal): Promise<Issued> => {
    if (held && now() < held.until) return held.issued
    const fresh = await runPlugin(plugin, { access, exec, ca: access.ca && read.text(access.ca) }, signal)
    held = { issued: fresh, until: fresh.expires === undefined ? Infinity : fresh.expires - earlyMs }
    return fresh
  }

  return {
    async proof(signal) {
      const { bearer, ca, certificate } = access
      const own = certificate && { cert: read.text(certificate.cert), key: read.text(certificate.key) }
      const base = { ...(ca && { ca: read.text(ca) }), ...(own && { certificate: own }) }
      if (bearer.kind === 'none') return base
      if (bearer.kind === 'token') return { ...base, token: read.text(bearer.token).trim() }
      const { token, certificate: given } = await issued(bearer.plugin, signal)
      return { ...base, ...(token !== undefined && { token }), ...(given && { certificate: given }) }
    },
    refused() {
      read.forget()
      held = undefined
    },
  }
}

function createReader(readFile: (path: string) => string, now: () => number) {
  const known = new Map<string, { readonly text: string; readonly at: number }>()
  return {
    text(material: Material): string {
      if (material.kind === 'text') return material.text
      const { path } = material
      const last = known.get(path)
      if (last && now() - last.at < fileMs) return last.text
      try {
        const text = readFile(path)
        known.set(path, { text, at: now() })
        return text
      } catch (cause) {
        throw new ProxyError('SETUP', `${path} cannot be read: ${(cause as Error).message}`, { cause })
      }
    },
    forget: () => known.clear(),
  }
}

interface Issued {
  readonly token?: string
  readonly certificate?: Certificate
  /** ms since 1970. */
  readonly expires?: number
}

interface PluginDeps {
  readonly access: Access
  readonly exec: Exec
  readonly ca: string | undefined
}

/** Runs a credential plugin (client.authentication.k8s.io/v1 ExecCredential). */
async function runPlugin(plugin: ExecPlugin, deps: PluginDeps, signal: AbortSignal): Promise<Issued> {
  const { command, args } = plugin
  const info = { apiVersion: plugin.apiVersion, kind: 'ExecCredential', spec: { interactive: false, ...(plugin.provideClusterInfo && { cluster: clusterOf(deps) }) } }
  const env = { ...plugin.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) }
  let stdout: string
  try {
    stdout = (await deps.exec.run({ command, args, env, timeoutMs: pluginTimeoutMs }, signal)).stdout
  } catch (cause) {
    signal.throwIfAborted()
    const hint = plugin.installHint === undefined ? '' : ` (${plugin.installHint})`
    throw new ProxyError('SETUP', `the credential plugin failed: ${(cause as Error).message}${hint}`, { cause })
  }
  return issuedOf(stdout, command)
}

function clusterOf({ access, ca }: PluginDeps): Readonly<Record<string, unknown>> {
  return {
    server: access.server.href,
    ...(ca !== undefined && { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
    ...(access.serverName !== undefined && { 'tls-server-name': access.serverName }),
    ...(access.insecure && { 'insecure-skip-tls-verify': true }),
  }
}

function issuedOf(stdout: string, command: string): Issued {
  const wrong = (what: string, cause?: unknown): ProxyError => new ProxyError('SETUP', `the credential plugin ${command} printed ${what}`, { cause })
  let status: unknown
  try {
    status = (JSON.parse(stdout) as { readonly status?: unknown } | null)?.status
  } catch (cause) {
    throw wrong('no JSON', cause)
  }
  const given = (status ?? {}) as Readonly<Record<string, unknown>>
  const text = (name: string): string | undefined => (typeof given[name] === 'string' && given[name] !== '' ? given[name] : undefined)
  const [token, cert, key, until] = [text('token'), text('clientCertificateData'), text('clientKeyData'), text('expirationTimestamp')]
  if (token === undefined && (cert === undefined || key === undefined)) throw wrong('an ExecCredential without a token or a certificate with its key')
  const expires = until === undefined ? undefined : Date.parse(until)
  if (Number.isNaN(expires)) throw wrong(`an expirationTimestamp that is no time: ${until}`)
  return {
    ...(token !== undefined && { token }),
    ...(cert !== undefined && key !== undefined && { certificate: { cert, key } }),
    ...(expires !== undefined && { expires }),
  }
}

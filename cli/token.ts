/** Tokens by which machines join: Secrets of kube-system of the type bootstrap.kubernetes.io/token, each good for a while. */
import type { HubClient } from './hub.ts'
import { publicKeyHash } from './join.ts'

export interface TokenOptions {
  /** 0 for one that does not end. */
  readonly ttlSeconds: number
  readonly nowMs: number
  /** PEM of the hub's CA, for the command that the token is used with. */
  readonly ca: string
  /** A whole number from 0 below its argument, that nobody can guess. */
  readonly random: (below: number) => number
}

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Makes a token. @returns it, and the command that a machine joins by. @throws CliError */
export async function createJoinToken(hub: HubClient, options: TokenOptions, signal: AbortSignal): Promise<{ readonly token: string; readonly command: string }> {
  const { ttlSeconds, nowMs, ca, random } = options
  const draw = (length: number): string => Array.from({ length }, () => letters[random(letters.length)]).join('')
  const [id, secret] = [draw(6), draw(16)]
  const expiration = new Date(nowMs + ttlSeconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
  const stringData = {
    'token-id': id,
    'token-secret': secret,
    'usage-bootstrap-authentication': 'true',
    'usage-bootstrap-signing': 'true',
    'auth-extra-groups': 'system:bootstrappers:wherry:nodes',
    ...(ttlSeconds > 0 && { expiration }),
  }
  const metadata = { name: `bootstrap-token-${id}`, namespace: 'kube-system' }
  await hub.post('/api/v1/namespaces/kube-system/secrets', { apiVersion: 'v1', kind: 'Secret', metadata, type: 'bootstrap.kubernetes.io/token', stringData }, signal)
  const token = `${id}.${secret}`
  return { token, command: `wherry join ${hub.server} --token ${token} --ca-cert-hash ${publicKeyHash(ca)}` }
}

/** Who asks, from all that a request can show: a client certificate, a service account's token, a bootstrap token. */
import type { IncomingMessage } from 'node:http'
import type { Secret } from '../../api/objects.ts'
import type { Store } from '../store/store.ts'
import type { AccountTokens } from './account-tokens.ts'
import type { User } from './auth.ts'
import { anonymous, createPeers, type PeerSocket } from './authenticate.ts'
import { sameToken } from './tokens.ts'

export interface BearerDeps {
  readonly tokens: Pick<AccountTokens, 'verify'>
  readonly bootstrap: (token: string) => BootstrapToken | undefined
}

/** Never throws. The certificate comes first; a token that does not count leaves its sender unknown. */
export function createAuthenticate({ tokens, bootstrap }: BearerDeps): (req: IncomingMessage) => User {
  const peers = createPeers()
  return (req) => {
    const byCertificate = peers(req.socket as unknown as PeerSocket)
    if (byCertificate !== anonymous) return byCertificate
    const [, token] = /^Bearer +([^\s]+)$/i.exec(req.headers.authorization ?? '') ?? []
    if (token === undefined) return anonymous
    const verified = tokens.verify(token)
    if (verified?.kind === 'verified') return verified.user
    const held = bootstrap(token)
    return held?.authenticates ? { name: `system:bootstrap:${held.id}`, groups: [...held.groups, 'system:authenticated'] } : anonymous
  }
}

/** A bootstrap token as a Secret of kube-system keeps it (type bootstrap.kubernetes.io/token). */
export interface BootstrapToken {
  readonly id: string
  readonly groups: readonly string[]
  /** Whether it stands for a user of the API, and not for something else alone. */
  readonly authenticates: boolean
}

export const bootstrapType = 'bootstrap.kubernetes.io/token'
const format = /^([a-z0-9]{6})\.([a-z0-9]{16})$/
const extraGroup = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/

/** Finds the token among the Secrets, if it is there and has not expired. */
export function createBootstrapTokens(store: Pick<Store, 'get'>, now: () => number): (token: string) => BootstrapToken | undefined {
  return (token) => {
    const [, id] = format.exec(token) ?? []
    if (id === undefined) return undefined
    const secret = store.get({ resource: 'secrets', namespace: 'kube-system', name: `bootstrap-token-${id}` }) as Secret | undefined
    if (secret?.type !== bootstrapType || secret.metadata.deletionTimestamp) return undefined
    const field = (name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8')
    if (!sameToken(`${field('token-id')}.${field('token-secret')}`, token)) return undefined
    const expiration = field('expiration')
    if (expiration !== '' && !(Date.parse(expiration) > now())) return undefined
    const more = field('auth-extra-groups').split(',').filter((group) => extraGroup.test(group))
    return { id, groups: ['system:bootstrappers', ...more], authenticates: field('usage-bootstrap-authentication') === 'true' }
  }
}

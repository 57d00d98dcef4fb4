/** Who is at the other end of a TLS connection. */
import type { PeerCertificate, TLSSocket } from 'node:tls'

import { groups, type User } from './auth.ts'

export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** The part of a TLS socket that says who the peer is. */
export type PeerSocket = Pick<TLSSocket, 'authorized' | 'getPeerCertificate'> & Partial<Pick<TLSSocket, 'getProtocol'>>

/**
 * The user whom the client certificate names: CN is the name, each O a group (as Kubernetes reads X.509 subjects).
 * Only a certificate that Node verified against the hub's CA counts (`requestCert` and `ca` on the server).
 */
export function authenticate(socket: PeerSocket): User {
  if (!socket.authorized) return anonymous
  // Typed as always there, but an empty object where the peer sent no certificate; a part that repeats is a list.
  const { subject } = socket.getPeerCertificate() as Partial<PeerCertificate>
  const parts = (subject ?? {}) as Readonly<Record<string, string | readonly string[] | undefined>>
  const name = parts['CN']
  if (typeof name !== 'string' || name === '') return anonymous
  return { name, groups: [...[parts['O'] ?? []].flat(), groups.authenticated] }
}

/**
 * `authenticate` for many requests over few connections. To read a certificate costs more than all else that says who asks. Within a
 * connection of TLS 1.3 its peer stays who it is, and is asked once; before, it could become another one (RFC 5246, 7.4.1.1).
 */
export function createPeers(): (socket: PeerSocket) => User {
  const known = new WeakMap<PeerSocket, User>()
  return (socket) => {
    const held = known.get(socket)
    if (held) return held
    const user = authenticate(socket)
    if (socket.getProtocol?.() === 'TLSv1.3') known.set(socket, user)
    return user
  }
}

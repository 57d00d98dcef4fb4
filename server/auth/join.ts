/** How a machine becomes a node: it shows the token and gets a certificate of its own. */
import type { JoinAnswer, JoinRequest } from '../../api/hub.ts'
import { badRequest, StatusError } from '../../api/status.ts'
import type { BootstrapToken } from './bearer.ts'
import type { Pki } from './pki.ts'
import { sameToken } from './tokens.ts'

export interface JoinDeps {
  readonly pki: Pick<Pki, 'ca' | 'signNode'>
  /** The hub's own, which does not end. */
  readonly token: string
  /** Finds one of those that `wherry token create` makes. */
  readonly bootstrap?: (token: string) => BootstrapToken | undefined
}

/** RFC 1123 label. */
const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

/**
 * Answers join requests. The token comes first: without it nothing is said about the rest.
 * @throws StatusError Unauthorized, or BadRequest naming `node` or `csr`
 */
export function createJoin({ pki, token, bootstrap }: JoinDeps): (request: unknown) => Promise<JoinAnswer> {
  const answer = (request: unknown): JoinAnswer => {
    const fields = typeof request === 'object' && request !== null ? request : {}
    const { node, token: shown, csr } = fields as Partial<Record<keyof JoinRequest, unknown>>
    if (typeof shown !== 'string' || !(sameToken(shown, token) || bootstrap?.(shown)?.authenticates)) {
      const wayOut = 'make one with `wherry token create`, or take the one in the file join-token of the hub'
      throw new StatusError('Unauthorized', `token: the hub does not know it, or it has expired; ${wayOut}`)
    }
    if (typeof node !== 'string' || !label.test(node)) {
      const form = 'at most 63 lower-case letters, digits and hyphens, with a letter or a digit at both ends'
      throw badRequest(`node: its name must be ${form}`)
    }
    if (typeof csr !== 'string') throw badRequest('csr: it must be a certificate request (PKCS#10) in PEM')
    return { certificate: pki.signNode(csr, node), ca: pki.ca }
  }
  return async (request) => answer(request)
}

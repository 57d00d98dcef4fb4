/** Who asks for a certificate is written by the hub; who approves or signs must be one whom a role lets do that for the signer. */
import { isDeepStrictEqual } from 'node:util'
import type { CertificateSigningRequest } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import type { Authorize } from '../rbac/authorizer.ts'
import type { Check, Intent } from '../rbac/guard.ts'
import type { User } from './auth.ts'

const resource = 'certificatesigningrequests.certificates.k8s.io'

export function certificateCheck(authorize: Authorize): Check {
  return (user, intent) => {
    const { ref, verb, draft, current, subresource } = intent
    if (ref.resource !== resource || !draft) return undefined
    if (verb === 'create') return { ...draft, spec: { ...(draft['spec'] as object | undefined), ...asker(user) } }
    const before = current as unknown as CertificateSigningRequest
    const after = (draft['status'] ?? {}) as CertificateSigningRequest['status']
    if (subresource === 'approval' && !isDeepStrictEqual(before.status?.conditions ?? [], after?.conditions ?? [])) insist(authorize, user, { intent, before, verb: 'approve' })
    if (subresource === 'status' && !isDeepStrictEqual(before.status ?? {}, after ?? {})) insist(authorize, user, { intent, before, verb: 'sign' })
    return undefined
  }
}

/** undefined takes away what the client wrote. */
function asker({ name, groups, uid, extra }: User): object {
  return { username: name, groups, uid, extra }
}

interface Wanted {
  readonly intent: Intent
  readonly before: CertificateSigningRequest
  readonly verb: 'approve' | 'sign'
}

/** On the signer itself, or on all signers of its domain. */
function insist(authorize: Authorize, user: User, { intent, before, verb }: Wanted): void {
  const { signerName } = before.spec
  const names = [signerName, `${signerName.split('/')[0]}/*`]
  if (names.some((name) => authorize(user, { verb, path: '', resource: 'signers.certificates.k8s.io', name }).allowed)) return
  const { name } = intent.ref
  const why = `user ${JSON.stringify(user.name)} not permitted to ${verb} requests with signerName ${JSON.stringify(signerName)}`
  throw new StatusError('Forbidden', `${resource} ${JSON.stringify(name)} is forbidden: ${why}`, { name, group: 'certificates.k8s.io', kind: 'certificatesigningrequests' })
}

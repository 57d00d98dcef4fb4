/**
 * CertificateSigningRequest (certificates.k8s.io/v1): what is approved is signed; a node that asks for itself, or a bootstrap token
 * that asks for a node, is approved where a role says so; what is over is taken away.
 */
import { rfc3339 } from '../../api/clock.ts'
import type { CertificateSigningRequest } from '../../api/objects.ts'
import type { User, Wish } from '../auth/auth.ts'
import type { Pki } from '../auth/pki.ts'
import { judge, signers } from '../auth/signers.ts'
import { createController, type Controller, type ControllerDeps } from './controller.ts'

export interface CertificateDeps extends ControllerDeps {
  readonly pki: Pick<Pki, 'issue'>
  readonly authorize: (user: User, wish: Wish) => { readonly allowed: boolean }
}

const resource = 'certificatesigningrequests.certificates.k8s.io'
const hour = 3_600_000
/** How long a request stays: one that nobody answers, and one that was answered. */
const kept = { pending: 24 * hour, done: hour } as const

type Condition = NonNullable<NonNullable<CertificateSigningRequest['status']>['conditions']>[number]

export function createCertificateController(deps: CertificateDeps): Controller {
  const { store, registry, clock } = deps
  return createController(deps, {
    name: 'certificates',
    resources: [resource],
    keys: ({ object }) => [object.metadata.name],
    async reconcile(name) {
      const ref = { resource, namespace: '', name } as const
      const request = store.get(ref) as unknown as CertificateSigningRequest | undefined
      if (!request) return undefined
      const left = endOf(request) - clock.now()
      if (left <= 0) {
        await registry.remove(ref)
        return undefined
      }
      const status = nextStatus(deps, request)
      if (status) await registry.update(ref, (current) => ({ ...current, status }), { subresource: status.certificate ? 'status' : subresourceOf(status) })
      return left
    },
  })
}

type Status = NonNullable<CertificateSigningRequest['status']>
const has = ({ status }: Pick<CertificateSigningRequest, 'status'>, type: string): boolean => status?.conditions?.some((c) => c.type === type) ?? false
const subresourceOf = (status: Status): 'approval' | 'status' => (has({ status }, 'Failed') ? 'status' : 'approval')

function endOf({ metadata, status }: CertificateSigningRequest): number {
  const last = status?.conditions?.map((c) => Date.parse(c.lastUpdateTime ?? metadata.creationTimestamp)) ?? []
  return last.length > 0 ? Math.max(...last) + kept.done : Date.parse(metadata.creationTimestamp) + kept.pending
}

/** The next step, or undefined where there is none to take here. */
function nextStatus(deps: CertificateDeps, request: CertificateSigningRequest): Status | undefined {
  const { status = {}, spec } = request
  if (has(request, 'Denied') || has(request, 'Failed') || status.certificate) return undefined
  const judged = judge(spec)
  if (judged === undefined) return undefined
  const now = rfc3339(deps.clock.now())
  const withCondition = (type: string, reason: string, message: string): Status => {
    const condition: Condition = { type, status: 'True', reason, message, lastUpdateTime: now, lastTransitionTime: now }
    return { ...status, conditions: [...(status.conditions ?? []), condition] }
  }
  if (has(request, 'Approved')) {
    if (typeof judged === 'string') return withCondition('Failed', 'SignerValidationFailure', judged)
    return { ...status, certificate: Buffer.from(deps.pki.issue(judged)).toString('base64') }
  }
  if (spec.signerName !== signers.node || typeof judged === 'string') return undefined
  const own = spec.username === judged.subject.commonName
  for (const subresource of own ? ['selfnodeclient', 'nodeclient'] : ['nodeclient']) {
    if (deps.authorize(userOf(spec), { verb: 'create', path: '', resource, subresource }).allowed)
      return withCondition('Approved', 'AutoApproved', `approved by the hub: a role lets ${String(spec.username)} create ${subresource}`)
  }
  return undefined
}

function userOf({ username = '', groups = [], uid }: CertificateSigningRequest['spec']): User {
  return { name: username, groups, ...(uid && { uid }) }
}

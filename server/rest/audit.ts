/** Notes what is met on a request's way, for the audit log. */
import type { Met } from '../audit/event.ts'
import type { User, Wish } from '../auth/auth.ts'
import type { Verdict } from '../auth/authorize.ts'
import type { StatusError } from '../../api/status.ts'
import type { Call } from './call.ts'

/** What is known so far; filled in as the request goes on. */
export interface Notes {
  wish?: Wish
  acting?: User
  verdict?: Verdict
  failure?: StatusError
}

export interface Auditor {
  readonly notes: Notes
  /** The stream begins. */
  started(): void
  complete(): void
}

/** Asked every few seconds, by everybody, about nothing. */
const health = /^\/(?:livez|readyz|healthz)(?:[/?]|$)/

const silent: Auditor = { notes: {}, started: () => undefined, complete: () => undefined }

/** @param call as it was opened: its user is the one whom the credentials name */
export function audit(call: Call): Auditor {
  const { deps, req, res, user } = call
  if (!deps.audit || health.test(req.url ?? '')) return { ...silent, notes: {} }
  const record = deps.audit
  const id = crypto.randomUUID()
  const received = deps.clock.now()
  const sourceIPs = [req.socket.remoteAddress ?? '']
  res.setHeader('Audit-Id', id)
  const notes: Notes = {}
  const tell = (stage: Met['stage'], code: number): void => {
    const { wish, acting, verdict, failure } = notes
    const { reason, message } = failure?.status ?? {}
    const { url: uri = '', headers } = req
    const asked = { id, uri, received, sourceIPs, userAgent: headers['user-agent'], user, wish, verdict }
    record({
      ...asked,
      stage,
      at: deps.clock.now(),
      code,
      ...(acting && acting !== user && { impersonated: acting }),
      ...(failure && { failure: { reason, message } }),
    })
  }
  return { notes, started: () => tell('ResponseStarted', 200), complete: () => tell('ResponseComplete', res.statusCode) }
}

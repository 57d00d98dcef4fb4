/** Whether a request may go on, and the words of the refusal. */
import { StatusError } from '../../api/status.ts'
import type { User, Wish } from '../auth/auth.ts'
import type { Verdict } from '../auth/authorize.ts'
import { splitResource } from '../rbac/rules.ts'
import type { Call } from './call.ts'

const anonymous = 'system:anonymous'

/** @param told is told the verdict, whatever it is. @throws StatusError Unauthorized for an unknown caller, else Forbidden */
export function authorize({ deps, user }: Call, wish: Wish, told?: (verdict: Verdict) => void): void {
  const verdict = deps.authorize(user, wish)
  told?.(verdict)
  const { allowed, why } = verdict
  if (allowed) return
  if (user.name === anonymous) throw new StatusError('Unauthorized', 'Unauthorized')
  throw forbidden(user, wish, why)
}

/** In the words that clients know, and then why. */
export function forbidden(user: User, wish: Wish, why: string): StatusError {
  const { verb, path, resource, subresource, namespace, name = '' } = wish
  const because = why && `: ${why}`
  if (resource === undefined) {
    return new StatusError('Forbidden', `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}${because}`)
  }
  const { plural, group } = splitResource(resource)
  const what = subresource ? `${plural}/${subresource}` : plural
  const where = namespace ? `in the namespace "${namespace}"` : 'at the cluster scope'
  const subject = name ? `${resource} "${name}"` : resource
  const message = `${subject} is forbidden: User ${JSON.stringify(user.name)} cannot ${verb} resource "${what}" in API group "${group}" ${where}${because}`
  return new StatusError('Forbidden', message, { ...(name && { name }), ...(group && { group }), kind: plural })
}

/** `kubectl --as`: a user who may, acts as another one (headers Impersonate-User, -Group, -Uid and -Extra-KEY). */
import { badRequest } from '../../api/status.ts'
import { groups as known, type User } from '../auth/auth.ts'
import type { Call } from './call.ts'
import { authorize } from './permit.ts'

const header = { user: 'impersonate-user', group: 'impersonate-group', uid: 'impersonate-uid', extra: 'impersonate-extra-' } as const
const account = /^system:serviceaccount:([^:]+):([^:]+)$/
const anonymous = 'system:anonymous'

/**
 * The user as whom the request is to be answered: the caller, where no header names another.
 * @throws StatusError Forbidden where the caller may not impersonate one of the parts, BadRequest for parts without a user
 */
export function impersonated(call: Call): User {
  const { headers } = call.req
  const name = one(headers[header.user])
  const groups = valuesOf(call, header.group)
  const uid = one(headers[header.uid])
  const extra = extraOf(call)
  if (name === '') {
    if (groups.length > 0 || uid !== '' || Object.keys(extra).length > 0) throw badRequest('the header Impersonate-User is missing, but others of its family are there')
    return call.user
  }
  const [, namespace, accountName] = account.exec(name) ?? []
  const may = (wish: { resource: string; subresource?: string; namespace?: string; name: string }): void => authorize(call, { verb: 'impersonate', path: '', ...wish })
  if (namespace !== undefined && accountName !== undefined) may({ resource: 'serviceaccounts', namespace, name: accountName })
  else may({ resource: 'users', name })
  for (const group of groups) may({ resource: 'groups', name: group })
  if (uid !== '') may({ resource: 'uids.authentication.k8s.io', name: uid })
  for (const [key, values] of Object.entries(extra)) for (const value of values) may({ resource: 'userextras.authentication.k8s.io', subresource: key, name: value })
  const own = namespace === undefined ? [] : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
  const standing = name === anonymous ? known.unauthenticated : known.authenticated
  const all = [...new Set([...(groups.length > 0 ? groups : own), standing])]
  return { name, groups: all, ...(uid !== '' && { uid }), ...(Object.keys(extra).length > 0 && { extra }) }
}

const one = (value: string | readonly string[] | undefined): string => (typeof value === 'string' ? value : (value?.[0] ?? ''))

/** Node joins headers that repeat, by a comma that may be part of a name; the raw list has them apart. */
function valuesOf({ req: { rawHeaders } }: Call, name: string): readonly string[] {
  return rawHeaders.flatMap((key, i) => (i % 2 === 0 && key.toLowerCase() === name ? [rawHeaders[i + 1]!] : []))
}

function extraOf(call: Call): Readonly<Record<string, readonly string[]>> {
  const names = Object.keys(call.req.headers).filter((name) => name.startsWith(header.extra))
  const keyOf = (name: string): string => {
    try {
      return decodeURIComponent(name.slice(header.extra.length))
    } catch {
      throw badRequest(`the header ${name} is not percent-encoded correctly`)
    }
  }
  return Object.fromEntries(names.map((name) => [keyOf(name), valuesOf(call, name)]))
}

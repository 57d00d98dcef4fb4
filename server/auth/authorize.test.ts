import { describe, expect, test } from 'vitest'
import { hubPaths } from '../../api/hub.ts'
import type { User, Wish } from './auth.ts'
import { anonymous } from './authenticate.ts'
import { mayDo } from './authorize.ts'

describe('who may do what', () => {
  const admin: User = { name: 'anybody', groups: ['system:masters'] }
  const node: User = { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] }
  const person: User = { name: 'jane', groups: ['system:authenticated'] }
  const impostors: User[] = [
    { name: 'system:node:n1', groups: ['system:authenticated'] },
    { name: 'n1', groups: ['system:nodes'] },
    { name: 'system:node:', groups: ['system:nodes'] },
  ]
  const everybody = [admin, node, person, anonymous, ...impostors]
  const allowed = (wish: Wish): User[] => everybody.filter((user) => mayDo(user, wish).allowed)

  test.each([
    [{ verb: 'get', path: '/version' }], [{ verb: 'get', path: '/healthz' }], [{ verb: 'get', path: '/livez' }], [{ verb: 'get', path: '/readyz' }],
    [{ verb: 'create', path: hubPaths.join }],
  ])('everybody: %j', (wish) => {
    expect(allowed(wish)).toEqual(everybody)
  })

  test.each([
    [{ verb: 'get', path: hubPaths.agent }],
    [{ verb: 'get', path: hubPaths.agent, name: 'n1' }],
  ])('the node itself: %j', (wish) => {
    expect(allowed(wish)).toEqual([admin, node])
  })

  test.each([
    [{ verb: 'get', path: hubPaths.agent, name: 'n2' }],
    [{ verb: 'create', path: hubPaths.agent }],
    [{ verb: 'create', path: '/version' }],
    [{ verb: 'get', path: '/version/' }],
    [{ verb: 'get', path: hubPaths.join }],
    [{ verb: 'get', path: '/' }],
    [{ verb: 'get', path: '/metrics' }],
    [{ verb: 'get', path: hubPaths.status }],
    [{ verb: 'get', path: `${hubPaths.nodes}/n1/rules` }],
    [{ verb: 'list', path: '/api/v1/secrets', resource: 'secrets' }],
    [{ verb: 'get', path: '/version', resource: 'pods' }],
    [{ verb: 'create', path: '/api' }],
    [{ verb: 'get', path: '/apix' }],
    [{ verb: 'list', path: '', resource: 'pods' }],
    [{ verb: 'list', path: '', resource: 'events' }],
    [{ verb: 'update', path: '', resource: 'services', name: 'web' }],
    [{ verb: 'update', path: '', resource: 'services', subresource: 'status', name: 'web' }],
    [{ verb: 'get', path: '', resource: 'services', subresource: 'status', name: 'web' }],
    [{ verb: 'patch', path: '', resource: 'nodes', name: 'n1' }],
    [{ verb: 'delete', path: '', resource: 'endpointslices.discovery.k8s.io', name: 'x' }],
  ] satisfies [Wish][])('administrators alone: %j', (wish) => {
    expect(allowed(wish)).toEqual([admin])
  })
})

import { describe, expect, test } from 'vitest'
import { createKinds } from '../custom/kinds.ts'
import { parseTarget as parse } from './target.ts'

const kinds = createKinds({ list: () => [] })
const parseTarget = (path: string) => parse(path, kinds)

/** A resource target in short: kind, namespace, name, subresource. */
function short(path: string): unknown {
  const target = parseTarget(path)
  if (target.kind !== 'resource') return target.kind
  return [target.of.resource, target.namespace, target.name, ...(target.subresource ? [target.subresource] : [])]
}

describe('paths', () => {
  test.each([
    ['/api/v1/pods', ['pods', '', '']],
    ['/api/v1/namespaces/a/pods', ['pods', 'a', '']],
    ['/api/v1/namespaces/a/pods/', ['pods', 'a', '']],
    ['/api/v1/namespaces/a/pods/p', ['pods', 'a', 'p']],
    ['/api/v1/namespaces/a/pods/p/log', ['pods', 'a', 'p', 'log']],
    ['/api/v1/namespaces/a/pods/p/binding', ['pods', 'a', 'p', 'binding']],
    ['/api/v1/namespaces', ['namespaces', '', '']],
    ['/api/v1/namespaces/a', ['namespaces', '', 'a']],
    ['/api/v1/namespaces/a/status', ['namespaces', '', 'a', 'status']],
    ['/api/v1/namespaces/a/finalize', ['namespaces', '', 'a', 'finalize']],
    ['/api/v1/namespaces/pods/pods/pods', ['pods', 'pods', 'pods']],
    ['/api/v1/nodes/n/status', ['nodes', '', 'n', 'status']],
    ['/apis/apps/v1/deployments', ['deployments.apps', '', '']],
    ['/apis/apps/v1/namespaces/a/deployments/d/scale', ['deployments.apps', 'a', 'd', 'scale']],
    ['/apis/discovery.k8s.io/v1/namespaces/a/endpointslices/e', ['endpointslices.discovery.k8s.io', 'a', 'e']],
    ['/api/v1/namespaces/a/configmaps/%6bube', ['configmaps', 'a', 'kube']],
    // No such thing.
    ['/api/v1/pods/p', 'unknown'],
    ['/api/v1/namespaces/a/nodes', 'unknown'],
    ['/api/v1/namespaces/a/nodes/n', 'unknown'],
    ['/api/v1/namespaces/a/pods/p/scale', 'unknown'],
    ['/api/v1/namespaces/a/pods/p/log/x', 'unknown'],
    ['/api/v1/widgets', 'unknown'],
    ['/api/v2/pods', 'unknown'],
    ['/api/v2', 'unknown'],
    ['/apis/apps/v2', 'unknown'],
    ['/apis/stable.example.com/v1/widgets', 'unknown'],
    ['/apis/stable.example.com', 'unknown'],
    ['/api/v1/namespaces/a/pods/x%2fy', 'unknown'],
    ['/', 'unknown'],
    ['/nothing', 'unknown'],
    // The others.
    ['/api/v1/namespaces/a/pods/p/proxy', 'proxy'],
    ['/api/v1/namespaces/a/services/https:s:443/proxy/x%2fy/z', 'proxy'],
    ['/api/v1/namespaces/a/services/ftp:s:21/proxy/', 'unknown'],
    ['/api/v1/namespaces/a/configmaps/c/proxy/', 'unknown'],
    ['/api', 'groups'],
    ['/apis', 'groups'],
    ['/apis/apps', 'group'],
    ['/api/v1', 'groupVersion'],
    ['/apis/apps/v1', 'groupVersion'],
    ['/version', 'version'],
    ['/readyz', 'health'],
    ['/openapi/v2', 'openapi2'],
    ['/openapi/v3', 'openapi3'],
    ['/openapi/v3/apis/apps/v1', 'openapi3'],
    ['/wherry/v1/status', 'hubStatus'],
    ['/wherry/v1/snapshot', 'hubSnapshot'],
    ['/wherry/v1/nodes/n1/rules', 'hubRules'],
    ['/wherry/v1/nodes/n1', 'unknown'],
    ['/wherry/v1/join', 'hubJoin'],
    ['/wherry/v1/agent', 'unknown'],
  ])('%s', (path, meaning) => {
    expect(short(path)).toEqual(meaning)
  })

  test('an unknown kind keeps the words that authorization needs', () => {
    expect(parseTarget('/apis/batch/v1/namespaces/a/widgets/j')).toEqual({ kind: 'unknown', group: 'batch', resource: 'widgets', namespace: 'a' })
    expect(parseTarget('/api/v1/namespaces/a/widgets/w')).toEqual({ kind: 'unknown', group: '', resource: 'widgets', namespace: 'a' })
  })

  test('a proxied path is taken apart, and what follows stays as it came', () => {
    const web = { kind: 'proxy', of: 'services', namespace: 'a', scheme: 'http', name: 'web', port: '' }
    const base = '/api/v1/namespaces/a/services'
    expect(parseTarget(`${base}/web/proxy`)).toEqual({ ...web, prefix: `${base}/web/proxy`, rest: '' })
    expect(parseTarget(`${base}/web:http/proxy/`)).toEqual({ ...web, port: 'http', prefix: `${base}/web:http/proxy`, rest: '/' })
    expect(parseTarget(`${base}/https:web:8443/proxy/a%2fb//c`)).toEqual({ ...web, scheme: 'https', port: '8443', prefix: `${base}/https:web:8443/proxy`, rest: '/a%2fb//c' })
  })

  test('broken percent-encoding is told apart', () => {
    expect(() => parseTarget('/api/v1/namespaces/%zz')).toThrow(URIError)
  })
})

import { describe } from 'vitest'
import { faultTable } from '../../../test/kit/faults.ts'
import * as kit from '../../../test/kit/kinds.ts'

describe('an ingress', () => {
  const backend = { service: { name: 'web', port: { name: 'http' } } }
  const path = (part: object): object => ({ spec: { rules: [{ http: { paths: [{ pathType: 'Prefix', path: '/', backend, ...part }] } }] } })
  const at = 'spec.rules[0].http.paths[0]'
  faultTable('ingresses.networking.k8s.io', kit.ingress, [
    ['plain', {}],
    ['for all names below one', { spec: { rules: [{ host: '*.a.test' }] } }],
    ['for an address', { spec: { rules: [{ host: '10.0.0.1' }] } }, 'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name'],
    ['for any name', { spec: { rules: [{ host: 'a.*.test' }] } }, 'spec.rules[0].host: Invalid value: "a.*.test"'],
    ['with a default alone', { spec: { rules: undefined, defaultBackend: backend } }],
    ['with nothing', { spec: { rules: undefined } }, 'spec: Invalid value: {}: either `defaultBackend` or `rules`'],
    ['a path from nowhere', path({ path: 'a' }), `${at}.path: Invalid value: "a": must be an absolute path`],
    ['a path through the back', path({ path: '/a/../b' }), `${at}.path: Invalid value: "/a/../b": must not contain '/../'`],
    ['a path as the controller likes', path({ pathType: 'ImplementationSpecific', path: undefined })],
    ['a path of no type', path({ pathType: undefined }), `${at}.pathType: Required value`],
    ['to nothing', path({ backend: {} }), `${at}.backend: Required value`],
    ['to two', path({ backend: { ...backend, resource: { kind: 'Bucket', name: 'b' } } }), `${at}.backend: Invalid value`],
    ['to no port', path({ backend: { service: { name: 'web' } } }), `${at}.backend.service.port: Required value`],
    ['to two ports', path({ backend: { service: { name: 'web', port: { name: 'http', number: 80 } } } }), `${at}.backend.service.port: Invalid value`],
    ['to port 70000', path({ backend: { service: { name: 'web', port: { number: 70000 } } } }), `${at}.backend.service.port.number: Invalid value: 70000`],
    ['of two classes', { metadata: { annotations: { 'kubernetes.io/ingress.class': 'a' } }, spec: { ingressClassName: 'b' } }, 'metadata.annotations[kubernetes.io/ingress.class]: Invalid value: "a"'],
    ['with a certificate for odd names', { spec: { tls: [{ hosts: ['a_b'] }] } }, 'spec.tls[0].hosts[0]: Invalid value: "a_b"'],
  ])
})

describe('an ingress class', () => {
  const parameters = (part: object): object => ({ spec: { parameters: { kind: 'K', name: 'n', ...part } } })
  faultTable('ingressclasses.networking.k8s.io', kit.ingressClass, [
    ['plain', {}],
    ['of no controller', { spec: { controller: '' } }, 'spec.controller: Required value'],
    ['of an odd controller', { spec: { controller: 'nginx' } }, 'spec.controller: Invalid value: "nginx"'],
    ['with parameters', parameters({})],
    ['with parameters somewhere', parameters({ scope: 'Namespace' }), 'spec.parameters.namespace: Required value'],
    ['with parameters in too many places', parameters({ namespace: 'a' }), 'spec.parameters.namespace: Forbidden'],
  ])
})

describe('a network policy', () => {
  const from = (...peers: object[]): object => ({ ingress: [{ from: peers }] })
  const port = (part: object): object => ({ ingress: [{ ports: [part] }] })
  const at = 'spec.ingress[0]'
  faultTable('networkpolicies.networking.k8s.io', (spec) => kit.networkPolicy({ spec }), [
    ['plain', {}],
    ['for all, against all', { podSelector: {}, ingress: [] }],
    ['from a range', from({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } })],
    ['from no range', from({ ipBlock: { cidr: '10.0.0.0' } }), `${at}.from[0].ipBlock.cidr: Invalid value: "10.0.0.0"`],
    ['except what is outside', from({ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16', '10.0.0.0/8'] } }), `${at}.from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16"`, `${at}.from[0].ipBlock.except[1]: `],
    ['from nobody', from({}), `${at}.from[0]: Required value: must specify a peer`],
    ['from a range of pods', from({ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }), `${at}.from[0]: Forbidden: may not specify both`],
    ['at ports', port({ port: 80, endPort: 90 })],
    ['at no ports', port({ port: 80, endPort: 70 }), `${at}.ports[0].endPort: Invalid value: 70`],
    ['at ports from a name', port({ port: 'http', endPort: 90 }), `${at}.ports[0].endPort: Invalid value: 90`],
    ['at ports up to one', port({ endPort: 90 }), `${at}.ports[0].port: Required value`],
    ['at a port by an odd name', port({ port: 'HTTP' }), `${at}.ports[0].port: Invalid value: "HTTP"`],
    ['by another protocol', port({ port: 1, protocol: 'ICMP' }), `${at}.ports[0].protocol: Unsupported value: "ICMP"`],
    ['out to nobody', { egress: [{ to: [{}] }] }, 'spec.egress[0].to[0]: Required value'],
    ['of another type', { policyTypes: ['Both'] }, 'spec.policyTypes[0]: Unsupported value: "Both"'],
  ])
})

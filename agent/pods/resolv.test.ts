import { expect, test } from 'vitest'
import type { Pod } from '../../api/objects.ts'
import { podResolvText } from './resolv.ts'

const pod = (spec: object): Pod => ({ metadata: { name: 'web', namespace: 'shop' }, spec: { containers: [], ...spec } }) as unknown as Pod
const dns = { address: '169.254.20.10', domain: 'cluster.local' }
const host = () => ({ nameservers: ['192.0.2.1', '192.0.2.2'], searches: ['example.com'], options: ['timeout:1'] })
const own = 'shop.svc.cluster.local svc.cluster.local cluster.local'
const clusterText = `nameserver 169.254.20.10\nsearch ${own} example.com\noptions ndots:5\n`
const hostText = 'nameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch example.com\noptions timeout:1\n'

test.each([
  [{}, clusterText],
  [{ dnsPolicy: 'ClusterFirst' }, clusterText],
  [{ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, clusterText],
  [{ dnsPolicy: 'ClusterFirst', hostNetwork: true }, hostText],
  [{ dnsPolicy: 'Default' }, hostText],
  [{ dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.53'] } }, 'nameserver 192.0.2.53\n'],
  [
    { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.53'], searches: ['x', 'y'], options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }] } },
    'nameserver 192.0.2.53\nsearch x y\noptions ndots:2 edns0\n',
  ],
  [
    { dnsConfig: { nameservers: ['192.0.2.53', '169.254.20.10'], searches: ['x', 'svc.cluster.local'], options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }] } },
    `nameserver 169.254.20.10\nnameserver 192.0.2.53\nsearch ${own} example.com x\noptions ndots:2 rotate\n`,
  ],
  [
    { dnsPolicy: 'Default', dnsConfig: { nameservers: ['192.0.2.3', '192.0.2.4'] } },
    'nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nsearch example.com\noptions timeout:1\n',
  ],
])('%j', (spec, text) => {
  expect(podResolvText(pod(spec), dns, host)).toBe(text)
})

test('without a name server of the cluster, pods ask where the node asks', () => {
  expect(podResolvText(pod({}), undefined, host)).toBe(hostText)
})

test('more searches than the C library takes are left out', () => {
  const searches = (count: number, length: number) => Array.from({ length: count }, (_, i) => `${i}`.padEnd(length, 'x'))
  const kept = (list: readonly string[]) =>
    /search (.*)/.exec(podResolvText(pod({ dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.1'], searches: list } }), dns, host))![1]!.split(' ')
  expect(kept(searches(40, 5))).toHaveLength(32)
  expect(kept(searches(32, 99)).join(' ').length).toBeLessThanOrEqual(2_048)
  expect(kept(searches(32, 63)).join(' ').length).toBe(2_047)
})

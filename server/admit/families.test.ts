import { describe, expect, test } from 'vitest'
import type { ServiceSpec } from '../../api/objects.ts'
import { withFamilies } from './families.ts'
import type { Family } from './ranges.ts'

type Row = readonly [what: string, spec: ServiceSpec, expected: string]

const both: readonly Family[] = ['IPv4', 'IPv6']
const selector = { app: 'web' }

/** `SingleStack IPv4`, or the first thing that is wrong. */
function settled(spec: ServiceSpec, cluster: readonly Family[], old?: ServiceSpec): string {
  const { causes, spec: after } = withFamilies(spec, { old, cluster })
  if (causes[0]) return `${causes[0].field}: ${causes[0].message.slice(causes[0].message.lastIndexOf('": ') + 3)}`
  return [after.ipFamilyPolicy, ...(after.ipFamilies ?? [])].join(' ')
}

describe('a new service on a cluster of one family', () => {
  test.each<Row>([
    ['plain', {}, 'SingleStack IPv4'],
    ['that prefers two', { ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack IPv4'],
    ['with an address', { clusterIPs: ['10.96.0.7'] }, 'SingleStack IPv4'],
    ['headless', { clusterIP: 'None', clusterIPs: ['None'] }, 'SingleStack IPv4'],
    ['elsewhere', { type: 'ExternalName' }, ''],
  ])('%s', (_what, spec, expected) => {
    expect(settled({ selector, ...spec }, ['IPv4'])).toBe(expected)
  })
  test.each<Row>([
    ['that wants two', { ipFamilyPolicy: 'RequireDualStack' }, 'spec.ipFamilyPolicy: this cluster has one address family'],
    ['of the other', { ipFamilies: ['IPv6'] }, 'spec.ipFamilies[0]: not configured on this cluster'],
    ['with an address of the other', { clusterIPs: ['fd00::1'] }, 'spec.clusterIPs[0]: IPv6 is not configured on this cluster'],
    ['of two', { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'] }, 'spec.ipFamilies[1]: not configured on this cluster'],
  ])('%s is refused', (_what, spec, expected) => {
    expect(settled({ selector, ...spec }, ['IPv4'])).toMatch(expected)
  })
  test('without selector and address has both: its slices are made by hand', () => {
    expect(settled({ clusterIP: 'None', clusterIPs: ['None'] }, ['IPv4'])).toBe('RequireDualStack IPv4 IPv6')
  })
})

describe('a new service on a cluster of both', () => {
  test.each<Row>([
    ['plain', {}, 'SingleStack IPv4'],
    ['of the other', { ipFamilies: ['IPv6'] }, 'SingleStack IPv6'],
    ['with an address of the other', { clusterIPs: ['fd00::1'] }, 'SingleStack IPv6'],
    ['that prefers two', { ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack IPv4 IPv6'],
    ['that wants two, the other first', { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] }, 'RequireDualStack IPv6 IPv4'],
    ['with two addresses', { ipFamilyPolicy: 'RequireDualStack', clusterIPs: ['fd00::1', '10.96.0.7'] }, 'RequireDualStack IPv6 IPv4'],
    ['with two families in its order', { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6', 'IPv4'] }, 'PreferDualStack IPv6 IPv4'],
    ['headless that wants two', { clusterIP: 'None', clusterIPs: ['None'], ipFamilyPolicy: 'RequireDualStack' }, 'RequireDualStack IPv4 IPv6'],
  ])('%s', (_what, spec, expected) => {
    expect(settled({ selector, ...spec }, both)).toBe(expected)
  })
  test.each<Row>([
    ['with two families and no policy', { ipFamilies: ['IPv4', 'IPv6'] }, "spec.ipFamilyPolicy: must be 'RequireDualStack' or 'PreferDualStack' when several IP families"],
    ['with two addresses and no policy', { clusterIPs: ['10.96.0.7', 'fd00::1'] }, "spec.ipFamilyPolicy: must be 'RequireDualStack' or 'PreferDualStack' when several cluster IPs"],
  ])('%s is refused', (_what, spec, expected) => {
    expect(settled({ selector, ...spec }, both)).toMatch(expected)
  })
  test('takes the family that is first in the cluster', () => {
    expect(settled({ selector }, ['IPv6', 'IPv4'])).toBe('SingleStack IPv6')
  })
})

describe('a service that is there', () => {
  const single: ServiceSpec = { selector, ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'], clusterIPs: ['10.96.0.7'] }
  const preferring: ServiceSpec = { ...single, ipFamilyPolicy: 'PreferDualStack' }
  const dual: ServiceSpec = { ...single, ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'], clusterIPs: ['10.96.0.7', 'fd00::1'] }
  test.each<readonly [string, ServiceSpec, ServiceSpec, string]>([
    ['gets the second family with the policy', single, { ...single, ipFamilyPolicy: 'RequireDualStack' }, 'RequireDualStack IPv4 IPv6'],
    ['does not get one because the cluster has one now', preferring, preferring, 'PreferDualStack IPv4'],
    ['gets one when it asks anew', preferring, { ...preferring, ipFamilyPolicy: 'RequireDualStack' }, 'RequireDualStack IPv4 IPv6'],
    ['gives the second one back', dual, { ...single }, 'SingleStack IPv4'],
  ])('%s', (_what, old, wish, expected) => {
    expect(settled(wish, both, old)).toBe(expected)
  })
  test('keeps what it has where the cluster has lost a family', () => {
    expect(settled(dual, ['IPv4'], dual)).toBe('PreferDualStack IPv4 IPv6')
  })
  test.each<readonly [string, ServiceSpec, string]>([
    ['address', { ...dual, clusterIPs: ['10.96.0.7'] }, "spec.ipFamilyPolicy: must be 'SingleStack' to release the secondary cluster IP"],
    ['family', { ...dual, ipFamilies: ['IPv4'] }, "spec.ipFamilyPolicy: must be 'SingleStack' to release the secondary IP family"],
  ])('does not lose its second %s by leaving it out', (_what, wish, expected) => {
    expect(settled(wish, both, dual)).toBe(expected)
  })
})

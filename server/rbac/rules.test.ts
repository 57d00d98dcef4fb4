import { describe, expect, test } from 'vitest'
import type { PolicyRule } from '../../api/objects.ts'
import type { Wish } from '../auth/auth.ts'
import { allows, beyond, ruleText } from './rules.ts'

const rule = (part: Partial<PolicyRule>): PolicyRule => ({ verbs: ['get'], apiGroups: [''], resources: ['pods'], ...part })
const wish = (part: Partial<Wish>): Wish => ({ verb: 'get', path: '', resource: 'pods', ...part })
const path = (at: string): Wish => ({ verb: 'get', path: at })

describe('a rule allows', () => {
  test.each([
    [rule({}), wish({}), true],
    [rule({}), wish({ verb: 'list' }), false],
    [rule({ verbs: ['*'] }), wish({ verb: 'anything' }), true],
    [rule({}), wish({ resource: 'pods.metrics.k8s.io' }), false],
    [rule({ apiGroups: ['metrics.k8s.io'] }), wish({ resource: 'pods.metrics.k8s.io' }), true],
    [rule({ apiGroups: ['*'] }), wish({ resource: 'pods.metrics.k8s.io' }), true],
    [rule({}), wish({ subresource: 'log' }), false],
    [rule({ resources: ['pods/log'] }), wish({ subresource: 'log' }), true],
    [rule({ resources: ['pods/log'] }), wish({}), false],
    [rule({ resources: ['*/log'] }), wish({ subresource: 'log' }), true],
    [rule({ resources: ['*'] }), wish({ subresource: 'log' }), true],
    [rule({ resources: ['pods/*'] }), wish({ subresource: 'log' }), false],
    [rule({ resourceNames: ['a'] }), wish({ name: 'a' }), true],
    [rule({ resourceNames: ['a'] }), wish({ name: 'b' }), false],
    [rule({ resourceNames: ['a'] }), wish({}), false],
    [{ verbs: ['get'], nonResourceURLs: ['/api/*'] }, path('/api/v1'), true],
    [{ verbs: ['get'], nonResourceURLs: ['/api/*'] }, path('/api'), false],
    [{ verbs: ['get'], nonResourceURLs: ['/version'] }, path('/version/'), false],
    [{ verbs: ['get'], nonResourceURLs: ['*'] }, path('/any'), true],
    [{ verbs: ['get'], nonResourceURLs: ['*'] }, wish({}), false],
    [rule({ resources: ['*'], apiGroups: ['*'] }), path('/any'), false],
  ] satisfies [PolicyRule, Wish, boolean][])('%j %j: %s', (given, asked, expected) => {
    expect(allows(given, asked)).toBe(expected)
  })
})

describe('what goes beyond', () => {
  const beyondText = (owned: readonly PolicyRule[], asked: readonly PolicyRule[]) => beyond(owned, asked).map(ruleText)
  test('nothing where each part is covered by some rule', () => {
    const owned = [rule({ verbs: ['get', 'list'] }), rule({ resources: ['secrets'], resourceNames: ['a', 'b'] }), rule({ verbs: ['*'], resources: ['*/scale'], apiGroups: ['apps'] })]
    const asked = [rule({ verbs: ['list', 'get'] }), rule({ resources: ['secrets'], resourceNames: ['b'] }), rule({ apiGroups: ['apps'], resources: ['deployments/scale'] })]
    expect(beyondText(owned, asked)).toEqual([])
    expect(beyondText([rule({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] })], [...owned, ...asked])).toEqual([])
  })
  test.each([
    ['a verb', rule({ verbs: ['get', 'delete'] }), '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'],
    ['a star', rule({ verbs: ['*'] }), '{APIGroups:[""], Resources:["pods"], Verbs:["*"]}'],
    ['a group', rule({ apiGroups: ['', '*'] }), '{APIGroups:["*"], Resources:["pods"], Verbs:["get"]}'],
    ['a resource', rule({ resources: ['pods', 'pods/exec'] }), '{APIGroups:[""], Resources:["pods/exec"], Verbs:["get"]}'],
    ['a path', { verbs: ['get'], nonResourceURLs: ['/x'] }, '{NonResourceURLs:["/x"], Verbs:["get"]}'],
  ] satisfies [string, PolicyRule, string][])('%s', (_what, asked, missing) => {
    expect(beyondText([rule({})], [asked])).toEqual([missing])
  })
  test('all names where some are owned', () => {
    expect(beyondText([rule({ resourceNames: ['a'] })], [rule({}), rule({ resourceNames: ['a', 'b'] })])).toHaveLength(2)
  })
})

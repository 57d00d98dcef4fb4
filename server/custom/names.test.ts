import { describe, expect, test } from 'vitest'
import type { CustomResourceDefinition } from '../../api/objects.ts'
import { customResourceDefinition } from '../../test/kit/custom.ts'
import { namedStatus, withConditions } from './names.ts'

const now = '2026-01-01T00:00:00Z'
const later = '2026-01-01T01:00:00Z'
const defined = (plural: string, names: object = {}, status?: object): CustomResourceDefinition => {
  const crd = customResourceDefinition({ metadata: { name: `${plural}.stable.example.com` } })
  const kind = `${plural[0]!.toUpperCase()}${plural.slice(1, -1)}`
  const wished = { plural, singular: plural.slice(0, -1), kind, listKind: `${kind}List`, ...names }
  return { ...crd, spec: { ...crd.spec, names: wished }, ...(status && { status }) } as unknown as CustomResourceDefinition
}
const withStatus = (crd: CustomResourceDefinition, all: readonly CustomResourceDefinition[] = []) => ({ ...crd, status: namedStatus(crd, all, now) })
const said = (status: CustomResourceDefinition['status']) => status?.conditions?.map((c) => `${c.type}=${c.status}:${c.reason}`)

describe('names', () => {
  test('of the first one are all accepted', () => {
    const { status } = withStatus(defined('foos', { shortNames: ['f'], categories: ['all'] }))
    expect(status.acceptedNames).toEqual({ plural: 'foos', singular: 'foo', kind: 'Foo', listKind: 'FooList', shortNames: ['f'], categories: ['all'] })
    expect(said(status)).toEqual(['NamesAccepted=True:NoConflicts', 'Established=True:InitialNamesAccepted'])
    expect(status.storedVersions).toEqual(['v1'])
  })

  test.each([
    [{ kind: 'Foo' }, 'KindConflict', '"Foo" is already in use'],
    [{ listKind: 'FooList' }, 'ListKindConflict', '"FooList" is already in use'],
    [{ singular: 'f' }, 'SingularConflict', '"f" is already in use'],
    [{ shortNames: ['b', 'f', 'foos'] }, 'ShortNamesConflict', '"f" is already in use, "foos" is already in use'],
  ])('%j that another has are not', (names, reason, message) => {
    const first = withStatus(defined('foos', { shortNames: ['f'] }))
    const second = withStatus(defined('bars', names), [first])
    expect(said(second.status)).toEqual([`NamesAccepted=False:${reason}`, 'Established=False:NotAccepted'])
    expect(second.status.conditions?.[0]?.message).toBe(message)
    expect(second.status.acceptedNames?.plural).toBe('bars')
  })

  test('of another group are nobody else\'s business', () => {
    const first = withStatus(defined('foos'))
    const other = { ...defined('bars', { kind: 'Foo' }) }
    expect(said(withStatus({ ...other, spec: { ...other.spec, group: 'another.example.com' } }, [first]).status)?.[0]).toBe('NamesAccepted=True:NoConflicts')
  })

  test('of kinds that the hub serves itself are taken', () => {
    const crd = defined('leases')
    expect(said(withStatus({ ...crd, spec: { ...crd.spec, group: 'coordination.k8s.io' } }).status)?.[0]).toMatch(/^NamesAccepted=False/)
  })

  test('that one has it keeps, and it stays established', () => {
    const first = withStatus(defined('foos', { shortNames: ['f'] }))
    const second = withStatus(defined('bars', { shortNames: ['b'] }), [first])
    const moved = withStatus({ ...defined('bars', { shortNames: ['f'] }), status: second.status }, [first])
    expect(said(moved.status)).toEqual(['NamesAccepted=False:ShortNamesConflict', 'Established=True:InitialNamesAccepted'])
    expect(moved.status.acceptedNames?.shortNames).toEqual(['b'])
    expect(namedStatus(moved, [], now).acceptedNames?.shortNames).toEqual(['f'])
  })

  test('another storage version is added to those that objects may have', () => {
    const first = withStatus(defined('foos'))
    const versions = first.spec.versions.map((v) => ({ ...v, storage: !v.storage }))
    expect(namedStatus({ ...first, spec: { ...first.spec, versions } }, [], now).storedVersions).toEqual(['v1', 'v1beta1'])
  })
})

test('a condition that says the same keeps its time', () => {
  const condition = { type: 'A', status: 'True', reason: 'R', message: '' }
  const first = withConditions([], [condition], now)
  expect(withConditions(first, [condition], later)).toEqual(first)
  expect(withConditions(first, [{ ...condition, reason: 'S' }], later)[0]).toMatchObject({ reason: 'S', lastTransitionTime: now })
  expect(withConditions(first, [{ ...condition, status: 'False' }], later)[0]).toMatchObject({ lastTransitionTime: later })
})

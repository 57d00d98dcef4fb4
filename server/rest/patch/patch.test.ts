import { describe, expect, test } from 'vitest'
import { StatusError } from '../../../api/status.ts'
import { applyPatch, patchFormat } from './patch.ts'

function failure(run: () => unknown): StatusError['status'] {
  try {
    run()
  } catch (e) {
    if (e instanceof StatusError) return e.status
    throw e
  }
  throw new Error('it was accepted')
}

describe('formats', () => {
  test('the three content types', () => {
    const types = ['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json']
    expect(types.map((type) => patchFormat(type))).toEqual(['json', 'merge', 'strategic'])
  })

  test.each(['application/json', '', 'constructor', 'application/apply-patch+cbor'])('%j is no patch', (type) => {
    expect(failure(() => patchFormat(type)).code).toBe(415)
  })
})

describe('merge patch (RFC 7386, appendix A)', () => {
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j is %j', (current, patch, result) => {
    expect(applyPatch('merge', current, patch)).toEqual(result)
  })

  test('a list is no merge patch', () => {
    expect(failure(() => applyPatch('merge', {}, [])).code).toBe(400)
  })
})

describe('JSON patch', () => {
  const current = Object.freeze({ spec: Object.freeze({ replicas: 1, list: Object.freeze(['a', 'b']) }) })

  test('add, remove, replace, move, copy and test', () => {
    const patch = [
      { op: 'test', path: '/spec/replicas', value: 1 },
      { op: 'replace', path: '/spec/replicas', value: 2 },
      { op: 'add', path: '/spec/list/-', value: 'c' },
      { op: 'remove', path: '/spec/list/0' },
      { op: 'copy', from: '/spec/replicas', path: '/spec/copied' },
      { op: 'move', from: '/spec/copied', path: '/moved' },
    ]
    expect(applyPatch('json', current, patch)).toEqual({ spec: { replicas: 2, list: ['b', 'c'] }, moved: 2 })
    expect(current.spec.list).toEqual(['a', 'b'])
  })

  test.each([
    ['a failed test', [{ op: 'test', path: '/spec/replicas', value: 9 }], 422],
    ['a path to nowhere', [{ op: 'remove', path: '/spec/nothing' }], 422],
    ['an unknown operation', [{ op: 'explode', path: '/spec' }], 422],
    ['operations that are none', [7], 422],
    ['the way to the prototype', [{ op: 'add', path: '/__proto__/x', value: 1 }], 422],
    ['an object', { op: 'add' }, 400],
    ['what moves into itself', [{ op: 'move', from: '', path: '/metadata/labels' }], 422],
    ['what leaves no object', [{ op: 'replace', path: '', value: 3 }], 422],
    ['too many operations', Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/spec/replicas', value: 1 })), 413],
  ])('%s is refused', (_, patch, code) => {
    expect(failure(() => applyPatch('json', current, patch)).code).toBe(code)
  })
})

import { describe, expect, test } from 'vitest'
import { fieldsOfPath, parsePath, valuesAt, withFieldAt } from './path.ts'

const object = {
  spec: { a: { 'b.c': 1 }, list: [{ n: 'x', v: 1, ok: true }, { n: 'y', v: 2 }], 'x/y': 'z' },
  status: { conditions: [{ type: 'Ready', status: 'True' }, { type: "Odd's", status: 'False' }] },
}

describe('JSONPath', () => {
  test.each([
    ['.spec.a.b\\.c', [1]],
    ["['spec']['x/y']", ['z']],
    ['.spec["x/y"]', ['z']],
    ['.spec.list[0].n', ['x']],
    ['.spec.list[-1].n', ['y']],
    ['.spec.list[9].n', []],
    ['.spec.list[*].v', [1, 2]],
    ['.spec.list[:1].v', [1]],
    ['.spec.list[1:].v', [2]],
    ['.spec.list[?(@.v>1)].n', ['y']],
    ['.spec.list[?(@.v<=1)].n', ['x']],
    ['.spec.list[?(@.ok)].n', ['x']],
    ['.spec.list[?(@.n!="x")].n', ['y']],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type=='Ready')].status", ['True']],
    ['.status.conditions[?(@.type=="Odd\'s")].status', ['False']],
    ['.nothing.here', []],
    ['.spec.constructor', []],
  ])('%s', (text, found) => expect(valuesAt(object, parsePath(text)!)).toEqual(found))

  test.each(['', 'spec', '.spec[', '.spec[?(@.a=)]', '.a b', '..', '.spec[a]', '.a[?(1==1)', '{.a}'])('%j is no path', (text) => expect(parsePath(text)).toBeUndefined())

  test('paths of fields alone are read and written', () => {
    expect(fieldsOfPath('.spec.replicas')).toEqual(['spec', 'replicas'])
    expect(fieldsOfPath('.spec.list[0]')).toBeUndefined()
    expect(withFieldAt({ a: 1 }, ['spec', 'replicas'], 3)).toEqual({ a: 1, spec: { replicas: 3 } })
  })
})

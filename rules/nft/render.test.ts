import { expect, test } from 'vitest'
import type { Operation } from './model.ts'
import { render } from './render.ts'

const set = { name: 'hairpin', kind: 'set', type: 'type ipv4_addr . ipv4_addr;' } as const
const map = { name: 'affinity-ids', kind: 'map', type: 'type ipv4_addr . inet_proto . inet_service : classid;' } as const

/** One row or more for each kind of operation; a kind without a row does not compile. */
const table: { readonly [K in Operation['kind']]: readonly (readonly [Extract<Operation, { kind: K }>, string])[] } = {
  'add-table': [[{ kind: 'add-table' }, 'add table ip wherry']],
  'delete-table': [[{ kind: 'delete-table' }, 'delete table ip wherry']],
  'add-set': [
    [{ kind: 'add-set', set }, 'add set ip wherry hairpin { type ipv4_addr . ipv4_addr; }'],
    [{ kind: 'add-set', set: map }, 'add map ip wherry affinity-ids { type ipv4_addr . inet_proto . inet_service : classid; }'],
  ],
  'add-chain': [
    [{ kind: 'add-chain', chain: 'refuse' }, 'add chain ip wherry refuse'],
    [
      { kind: 'add-chain', chain: 'nat-output', base: 'type nat hook output priority -100; policy accept;' },
      'add chain ip wherry nat-output { type nat hook output priority -100; policy accept; }',
    ],
  ],
  'add-rule': [[{ kind: 'add-rule', chain: 'refuse', rule: 'reject' }, 'add rule ip wherry refuse reject']],
  'add-elements': [
    [
      { kind: 'add-elements', set: 'affinity-ids', elements: [{ key: '10.96.0.1 . tcp . 80', value: '1:2000', comment: 'a/b:c' }, { key: 'k', value: 'v' }] },
      'add element ip wherry affinity-ids { 10.96.0.1 . tcp . 80 comment "a/b:c" : 1:2000, k : v }',
    ],
    [
      { kind: 'add-elements', set: 'cluster-ips', elements: [{ key: '10.96.0.1', comment: 'a/b' }, { key: '10.96.0.2' }] },
      'add element ip wherry cluster-ips { 10.96.0.1 comment "a/b", 10.96.0.2 }',
    ],
  ],
  'delete-elements': [
    [{ kind: 'delete-elements', set: 'affinity-ids', keys: ['10.96.0.1 . tcp . 80', 'k'] }, 'delete element ip wherry affinity-ids { 10.96.0.1 . tcp . 80, k }'],
  ],
}
const rows: readonly (readonly [Operation, string])[] = Object.values(table).flat()

test.each(rows)('%j', (operation, text) => {
  expect(render({ family: 'ip', operations: [operation] })).toBe(`${text}\n`)
})

test('operations keep their order, one on each line', () => {
  expect(render({ family: 'ip', operations: rows.map(([operation]) => operation) })).toBe(rows.map(([, text]) => `${text}\n`).join(''))
  expect(render({ family: 'ip6', operations: [] })).toBe('')
})

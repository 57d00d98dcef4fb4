import { expect, test } from 'vitest'
import type { Operation } from './model.ts'
import { render } from './render.ts'

const set = { name: 'hairpin', kind: 'set', type: 'type ipv4_addr . ipv4_addr;' } as const
const map = { name: 'services', kind: 'map', type: 'type ipv4_addr . inet_proto . inet_service : verdict;' } as const

/** One row or more for each kind of operation; a kind without a row does not compile. */
const table: { readonly [K in Operation['kind']]: readonly (readonly [Extract<Operation, { kind: K }>, string])[] } = {
  'add-table': [[{ kind: 'add-table' }, 'add table ip wherry']],
  'delete-table': [[{ kind: 'delete-table' }, 'delete table ip wherry']],
  'add-set': [
    [{ kind: 'add-set', set }, 'add set ip wherry hairpin { type ipv4_addr . ipv4_addr; }'],
    [{ kind: 'add-set', set: map }, 'add map ip wherry services { type ipv4_addr . inet_proto . inet_service : verdict; }'],
  ],
  'delete-set': [
    [{ kind: 'delete-set', set }, 'delete set ip wherry hairpin'],
    [{ kind: 'delete-set', set: map }, 'delete map ip wherry services'],
  ],
  'add-chain': [
    [{ kind: 'add-chain', chain: 'refuse' }, 'add chain ip wherry refuse'],
    [
      { kind: 'add-chain', chain: 'nat-output', base: 'type nat hook output priority -100; policy accept;' },
      'add chain ip wherry nat-output { type nat hook output priority -100; policy accept; }',
    ],
  ],
  'flush-chain': [[{ kind: 'flush-chain', chain: 'refuse' }, 'flush chain ip wherry refuse']],
  'delete-chain': [[{ kind: 'delete-chain', chain: 'refuse' }, 'delete chain ip wherry refuse']],
  'add-rule': [[{ kind: 'add-rule', chain: 'refuse', rule: { text: 'reject' } }, 'add rule ip wherry refuse reject']],
  'add-elements': [
    [
      { kind: 'add-elements', set: 'services', elements: [{ key: '10.96.0.1 . tcp . 80', value: 'goto endpoints-1', comment: 'a/b:c' }, { key: 'k', value: 'v' }] },
      'add element ip wherry services { 10.96.0.1 . tcp . 80 comment "a/b:c" : goto endpoints-1, k : v }',
    ],
    [
      { kind: 'add-elements', set: 'cluster-ips', elements: [{ key: '10.96.0.1', comment: 'a/b' }, { key: '10.96.0.2' }] },
      'add element ip wherry cluster-ips { 10.96.0.1 comment "a/b", 10.96.0.2 }',
    ],
  ],
  'delete-elements': [
    [{ kind: 'delete-elements', set: 'services', keys: ['10.96.0.1 . tcp . 80', 'k'] }, 'delete element ip wherry services { 10.96.0.1 . tcp . 80, k }'],
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

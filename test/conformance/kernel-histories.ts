/** Random histories of transactions over a few names, so that they meet each other often. */
import fc from 'fast-check'
import type { Element, Operation, SetDeclaration } from '../../rules/model.ts'
import { endpoints, hairpin, lookup, prerouting, ranges, services } from './kernel.ts'

const sets = fc.constantFrom<SetDeclaration>(services, endpoints, hairpin, ranges, {
  name: 'spare',
  kind: 'set',
  type: 'type ipv4_addr;',
})
const chain = fc.constantFrom('nat-prerouting', 'endpoints-2', 'idle', 'idle', 'other')
const fronts = fc.constantFrom('10.96.0.1 . tcp . 80', '10.96.0.2 . tcp . 80')
const verdict = fc.constantFrom('goto endpoints-2', 'goto idle', 'jump other', 'drop')

/** Elements that fit their set; that others are refused is for the table to say. */
function elementsOf({ name }: SetDeclaration): fc.Arbitrary<Element> {
  switch (name) {
    case 'services':
      return fc.record({ key: fronts, value: verdict })
    case 'endpoints-2':
      return fc.record({
        key: fronts.map((front) => `${front} . 0`),
        value: fc.constantFrom('10.244.0.2 . 8080', '10.244.0.3 . 8080'),
      })
    case 'hairpin':
      return fc.record({ key: fc.constantFrom('10.244.0.2 . 10.244.0.2', '10.244.0.3 . 10.244.0.3') })
    case 'cluster-cidrs':
      return fc.record({ key: fc.constantFrom('10.244.0.0/16', '10.244.1.0/24', '10.245.0.0/16') })
    default:
      return fc.record({ key: fc.constantFrom('10.0.0.1', '10.0.0.2') })
  }
}

const rule = fc.constantFrom(
  lookup,
  'goto idle',
  'jump other',
  'jump endpoints-2',
  'ip saddr @cluster-cidrs drop',
  'ip saddr . ip daddr @hairpin drop',
  'drop',
)

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Operation>({ kind: 'add-table' }) },
  { weight: 4, arbitrary: sets.map((set): Operation => ({ kind: 'add-set', set })) },
  { weight: 3, arbitrary: sets.map((set): Operation => ({ kind: 'delete-set', set })) },
  {
    weight: 4,
    arbitrary: chain.map((name): Operation => ({
      kind: 'add-chain',
      chain: name,
      base: name === 'nat-prerouting' ? prerouting : undefined,
    })),
  },
  { weight: 3, arbitrary: chain.map((name): Operation => ({ kind: 'flush-chain', chain: name })) },
  { weight: 3, arbitrary: chain.map((name): Operation => ({ kind: 'delete-chain', chain: name })) },
  {
    weight: 6,
    arbitrary: fc
      .record({ chain, text: rule })
      .map(({ chain: name, text }): Operation => ({ kind: 'add-rule', chain: name, rule: { text } })),
  },
  {
    weight: 8,
    arbitrary: sets.chain((set) =>
      fc
        .array(elementsOf(set), { minLength: 1, maxLength: 2 })
        .map((elements): Operation => ({ kind: 'add-elements', set: set.name, elements })),
    ),
  },
  {
    weight: 6,
    arbitrary: sets.chain((set) =>
      elementsOf(set).map(({ key }): Operation => ({ kind: 'delete-elements', set: set.name, keys: [key] })),
    ),
  },
)

/** Up to six transactions of up to five operations. */
export const histories: fc.Arbitrary<readonly (readonly Operation[])[]> = fc.array(
  fc.array(operation, { minLength: 1, maxLength: 5 }),
  {
    minLength: 1,
    maxLength: 6,
  },
)

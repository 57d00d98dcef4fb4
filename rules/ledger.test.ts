import { describe, expect, test } from 'vitest'
import { nodeConfig, nodeConfigOf, nodeView, portView, serviceView } from '../test/kit/views.ts'
import { openLedger, reseat, settle, type Ledger } from './ledger.ts'
import type { ServiceView } from './model.ts'
import { frontKey } from './routes.ts'

const old = serviceView({ key: 'default/old', created: '2026-01-01T00:00:00Z', clusterIPs: ['10.96.0.1'], ports: [portView({ nodePort: 30_080 })] })
const young = serviceView({ key: 'default/young', created: '2026-01-02T00:00:00Z', clusterIPs: ['10.96.0.2'], ports: [portView({ nodePort: 30_080 })] })
const undated = serviceView({ key: 'default/a', created: '', clusterIPs: ['10.96.0.3'], ports: [portView({ nodePort: 30_080 })] })

function step(ledger: Ledger, services: readonly ServiceView[], changed: 'all' | readonly string[]) {
  const seats = reseat(ledger, nodeView(services, nodeConfig), changed === 'all' ? 'all' : new Set(changed))
  const fronts = (key: string, side: 'before' | 'after') => seats[side](key)?.routes.map(({ front }) => frontKey(front))
  const told = Object.fromEntries([...seats.affected].toSorted().map((key) => [key, { before: fronts(key, 'before'), after: fronts(key, 'after'), problems: seats.after(key)?.problems }]))
  settle(ledger, seats)
  return told
}

describe('where two services ask for one front', () => {
  test('the older has it, and the younger is told; the rest of both is served', () => {
    expect(step(openLedger('ip'), [young, old], 'all')).toEqual({
      'default/old': { before: undefined, after: ['10.96.0.1 tcp 80', '* tcp 30080'], problems: [] },
      'default/young': {
        before: undefined,
        after: ['10.96.0.2 tcp 80'],
        problems: [{ service: 'default/young', what: 'node port is already taken by the older service default/old', value: '* tcp 30080' }],
      },
    })
  })

  test('it does not matter who came first, and one without a date is the youngest', () => {
    const ledger = openLedger('ip')
    step(ledger, [undated], 'all')
    expect(step(ledger, [undated, young], ['default/young'])).toMatchObject({
      'default/a': { before: ['10.96.0.3 tcp 80', '* tcp 30080'], after: ['10.96.0.3 tcp 80'] },
      'default/young': { after: ['10.96.0.2 tcp 80', '* tcp 30080'] },
    })
  })

  test('the next takes over when the owner goes', () => {
    const ledger = openLedger('ip')
    step(ledger, [undated, young, old], 'all')
    expect(step(ledger, [undated, young], ['default/old'])).toMatchObject({
      'default/a': { after: ['10.96.0.3 tcp 80'] },
      'default/old': { before: ['10.96.0.1 tcp 80', '* tcp 30080'], after: undefined },
      'default/young': { before: ['10.96.0.2 tcp 80'], after: ['10.96.0.2 tcp 80', '* tcp 30080'], problems: [] },
    })
    expect([...ledger.claims.keys()].filter((front) => front.startsWith('10.96.0.1'))).toEqual([])
  })
})

test('one alone is affected alone, and the same view not at all', () => {
  const ledger = openLedger('ip')
  const services = [old, serviceView({ key: 'default/b', clusterIPs: ['10.96.0.9'] })]
  step(ledger, services, 'all')
  expect(step(ledger, services, 'all')).toEqual({})
  expect(Object.keys(step(ledger, [services[0]!, serviceView({ ...services[1]! })], ['default/b', 'default/gone']))).toEqual(['default/b'])
})

test('a cluster IP that two services have is refused by the older', () => {
  const ledger = openLedger('ip')
  const second = serviceView({ ...young, clusterIPs: ['10.96.0.1'], ports: [portView({ port: 81 })] })
  const seats = reseat(ledger, nodeView([old, second]), 'all')
  expect([seats.after('default/old')!.clusterIPs, seats.after('default/young')!.clusterIPs]).toEqual([['10.96.0.1'], []])
})

test('another configuration concerns everybody', () => {
  const ledger = openLedger('ip')
  step(ledger, [old, young], 'all')
  expect(reseat(ledger, nodeView([old, young], nodeConfigOf({ masqueradeAll: true })), new Set()).affected.size).toBe(2)
})

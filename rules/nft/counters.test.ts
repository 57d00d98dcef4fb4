import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { countersOf } from './counters.ts'

const listing = readFileSync(join(import.meta.dirname, 'listing.nft'), 'utf8')

test('each front and endpoint has a count, with the name of its service', () => {
  const counts = countersOf(listing.replace(/(10\.96\.0\.1 \. tcp \. 80 \. 1 counter packets) 0/, '$1 7'))
  expect(counts.filter(({ front }) => front === '10.96.0.1 tcp 80').toSorted((a, b) => (a.endpoint < b.endpoint ? -1 : 1))).toEqual([
    { service: 'default/web:http', front: '10.96.0.1 tcp 80', endpoint: '10.244.1.7:8080', connections: 0 },
    { service: 'default/web:http', front: '10.96.0.1 tcp 80', endpoint: '10.244.2.7:8080', connections: 7 },
    { service: 'default/web:http', front: '10.96.0.1 tcp 80', endpoint: '10.244.3.7:8080', connections: 0 },
  ])
  expect(counts.find(({ front }) => front === '* tcp 30080')).toMatchObject({ service: 'default/web:http' })
})

test('what was led by memory and what was led by chance is one count', () => {
  const busy = listing.replaceAll('counter packets 0', 'counter packets 2')
  const shop = countersOf(busy).filter(({ front }) => front === '203.0.113.1 tcp 80')
  // In the map of all endpoints, in the map of outsiders, and remembered for each of them.
  expect(shop.map(({ endpoint, connections }) => `${endpoint} ${connections}`).toSorted()).toEqual(['10.244.1.7:8080 8', '10.244.2.7:8080 4'])
})

test('slots of one endpoint are one count, in IPv6, too', () => {
  const text = 'table ip6 wherry {\n\tmap endpoints-2 {\n\t\ttypeof x\n\t\tcounter\n\t\telements = { fd00::1 . tcp . 80 . 0 counter packets 3 bytes 180 comment "a/b" : fd00::2 . 8080,\n\t\t\t     fd00::1 . tcp . 80 . 1 counter packets 4 bytes 240 : fd00::2 . 8080 }\n\t}\n}\n'
  expect(countersOf(text)).toEqual([{ service: 'a/b', front: 'fd00::1 tcp 80', endpoint: '[fd00::2]:8080', connections: 7 }])
})

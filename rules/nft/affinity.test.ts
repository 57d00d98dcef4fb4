import { expect, test } from 'vitest'
import { endpointView } from '../../test/kit/views.ts'
import { classId, durationText, memberNumbers, mostMembers, portMask, portNumber } from './affinity.ts'
import { classNumber } from './statements.ts'

const endpoints = (count: number) => Array.from({ length: count }, (_, n) => endpointView(`10.245.${n >> 8}.${n & 255}`))
const upper = (number: number): number => (number & classNumber(portMask)) >>> 0

test('a number names its service port in the upper bits, and no two endpoints of it are the same', () => {
  const port = portNumber('default/web', 'http', 'tcp')
  const numbers = [...memberNumbers(port, endpoints(2_000)).values()]
  expect(new Set(numbers).size).toBe(2_000)
  expect(new Set(numbers.map(upper))).toEqual(new Set([port]))
  expect(numbers).not.toContain(port)
})

test('an endpoint keeps its number when others come', () => {
  const port = portNumber('default/web', 'http', 'tcp')
  const few = memberNumbers(port, endpoints(3))
  const more = memberNumbers(port, endpoints(12))
  for (const [name, number] of few) expect(more.get(name)).toBe(number)
})

test('no more endpoints are remembered than there are numbers', () => {
  expect(memberNumbers(4096, endpoints(5_000)).size).toBe(mostMembers)
})

test('ports of services have numbers of their own, and never none', () => {
  const numbers = Array.from({ length: 1_000 }, (_, i) => portNumber(`default/s${i}`, 'http', 'tcp'))
  expect(new Set(numbers).size).toBeGreaterThan(997)
  expect(numbers.filter((number) => number === 0 || number !== upper(number))).toEqual([])
  expect(portNumber('default/a', 'dns', 'udp')).not.toBe(portNumber('default/a', 'dns', 'tcp'))
})

test.each([[0x12345001, '1234:5001'], [0x2000, '0:2000'], [0xffff0000, 'ffff:0']])('%i is the class %s', (number, text) => {
  expect(classId(number)).toBe(text)
  expect(classNumber(text)).toBe(number)
})

test.each([[1, '1s'], [90, '1m30s'], [10_800, '3h'], [86_400, '1d'], [86_399, '23h59m59s']])('%i s is %s', (seconds, text) => {
  expect(durationText(seconds)).toBe(text)
})

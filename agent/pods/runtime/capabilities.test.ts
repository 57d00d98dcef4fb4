import { expect, test } from 'vitest'
import { capabilityChange } from './capabilities.ts'

test('nothing asked, nothing changed', () => {
  expect(capabilityChange({ add: [], drop: [] })).toEqual({ add: [], drop: [] })
})

test('an added one is added, a usual one that is added again is not', () => {
  expect(capabilityChange({ add: ['NET_ADMIN', 'CHOWN'], drop: [] })).toEqual({ add: ['CAP_NET_ADMIN'], drop: [] })
})

test('drop ALL takes the usual ones, but for those that are added by name', () => {
  const change = capabilityChange({ add: ['NET_BIND_SERVICE', 'sys_time'], drop: ['ALL'] })
  expect(change.add).toEqual(['CAP_SYS_TIME'])
  expect(change.drop).toHaveLength(13)
  expect(change.drop).not.toContain('CAP_NET_BIND_SERVICE')
})

test('a name dropped by itself is dropped even when ALL are added', () => {
  const change = capabilityChange({ add: ['ALL'], drop: ['CAP_NET_RAW'] })
  expect(change.drop).toEqual(['CAP_NET_RAW'])
  expect(change.add).toContain('CAP_SYS_ADMIN')
})

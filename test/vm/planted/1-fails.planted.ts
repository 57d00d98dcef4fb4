import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('passes inside', () => {
  expect(readFileSync('/proc/sys/kernel/hostname', 'utf8')).toBe('wherry-test\n')
})

test('fails inside', () => {
  expect(readFileSync('/proc/sys/kernel/hostname', 'utf8')).toBe('planted')
})

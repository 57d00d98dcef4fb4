import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { setForwarding } from './sysctls.ts'

describe('forwarding', () => {
  let root: string
  const file = (): string => join(root, 'net/ipv4/ip_forward')
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'wp-sysctl-'))
    mkdirSync(join(root, 'net/ipv4'), { recursive: true })
  })
  afterEach(() => rmSync(root, { recursive: true }))

  test('is switched on where it is off', () => {
    writeFileSync(file(), '0\n')
    expect(setForwarding(['ipv4'], root)).toEqual([])
    expect(readFileSync(file(), 'utf8')).toBe('1')
  })

  test('is not written where it is on', () => {
    writeFileSync(file(), '1\n')
    expect(setForwarding(['ipv4'], root)).toEqual([])
    expect(readFileSync(file(), 'utf8')).toBe('1\n')
  })

  test('that cannot be switched on is told by name', () => {
    expect(setForwarding(['ipv6'], root)).toMatchObject([{ name: 'net/ipv6/conf/all/forwarding', wanted: '1' }])
  })
})

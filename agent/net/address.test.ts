import { describe, expect, test } from 'vitest'
import { sourceAddressTo } from './address.ts'

describe('the address of the node', () => {
  const signal = AbortSignal.timeout(5_000)

  test('is the one from which the hub is reached', async () => {
    expect(await sourceAddressTo('127.0.0.1', 6443, signal)).toBe('127.0.0.1')
    expect(await sourceAddressTo('127.9.9.9', 6443, signal)).toMatch(/^127\./)
  })

  test('a hub that cannot be reached is an error that names it', async () => {
    const refused = sourceAddressTo('255.255.255.255', 6443, signal)
    await expect(refused).rejects.toMatchObject({ code: 'KERNEL_REFUSED', message: expect.stringContaining('255.255.255.255') as string })
  })
})

/** What the table of kernel laws (test/conformance) does not say of the kernels that tests use. */
import { describe, expect, it } from 'vitest'
import { isWherryError } from '../../../api/errors.ts'
import type { Operation, Transaction } from '../../../rules/nft/model.ts'
import { createFaultyKernel } from './faulty.ts'
import { createFakeKernel, operationsFor } from './nft.ts'

const never = new AbortController().signal
const family = 'ip'
const spare = { name: 'spare', kind: 'set', type: 'type ipv4_addr;' } as const
const made: Transaction = {
  family,
  operations: [
    { kind: 'add-table' },
    { kind: 'add-set', set: spare },
    { kind: 'add-chain', chain: 'idle' },
    { kind: 'add-rule', chain: 'idle', rule: 'ip saddr @spare drop' },
    { kind: 'add-elements', set: 'spare', elements: [{ key: '10.0.0.1', comment: 'one' }] },
  ],
}
const second: Transaction = { family, operations: [{ kind: 'add-elements', set: 'spare', elements: [{ key: '10.0.0.2' }] }] }

describe('the kernel in memory', () => {
  it('hands out listings that later transactions do not alter', async () => {
    const kernel = createFakeKernel({ family })
    expect(await kernel.read(never)).toBeUndefined()
    await kernel.apply(made, never)
    const before = await kernel.read(never)
    await kernel.apply(second, never)
    expect(before?.elements.get('spare')?.size).toBe(1)
    expect((await kernel.read(never))?.elements.get('spare')?.size).toBe(2)
  })

  it('keeps nothing of a transaction that fails half way', async () => {
    const kernel = createFakeKernel({ family })
    await kernel.apply(made, never)
    const before = await kernel.read(never)
    const impossible: Operation = { kind: 'delete-elements', set: 'nowhere', keys: ['10.0.0.1'] }
    const wrong: Transaction = { family, operations: [...second.operations, impossible] }
    await expect(kernel.apply(wrong, never)).rejects.toMatchObject({
      code: 'KERNEL_NOT_FOUND',
      message: expect.stringContaining('operation 2') as string,
    })
    expect(await kernel.read(never)).toEqual(before)
    expect(kernel.accepted).toEqual([made])
  })

  it('can begin with what somebody left, and prints it as a transaction that makes it', async () => {
    const first = createFakeKernel({ family })
    await first.apply(made, never)
    const held = await first.read(never)
    const next = createFakeKernel({ family, held })
    expect(await next.read(never)).toEqual(held)
    expect(await next.print(never)).toContain('add element ip wherry spare { 10.0.0.1 comment "one" }')
    const third = createFakeKernel({ family })
    await third.apply({ family, operations: operationsFor(held!) }, never)
    expect(await third.read(never)).toEqual(held)
  })

  it('tells whoever watches of other hands, and not of its own', async () => {
    const kernel = createFakeKernel({ family })
    const told: unknown[] = []
    const stop = new AbortController()
    const watching = kernel.watch((change) => told.push(change), stop.signal)
    await kernel.apply(made, never)
    expect(told).toEqual([])
    const change = { what: 'delete table ip wherry', by: { pid: 7, name: 'nft' } }
    kernel.meddle([{ kind: 'delete-table' }], change)
    expect(told).toEqual([change])
    expect(await kernel.read(never)).toBeUndefined()
    expect(kernel.accepted).toEqual([made])
    stop.abort()
    await watching
    kernel.meddle([{ kind: 'add-table' }], change)
    expect(told).toHaveLength(1)
  })

  it('is empty after everything was removed, and removing nothing is no error', async () => {
    const kernel = createFakeKernel({ family })
    await kernel.remove(never)
    await kernel.apply(made, never)
    await kernel.remove(never)
    expect(await kernel.read(never)).toBeUndefined()
  })

  it('does nothing after an abort, and nothing for another family', async () => {
    const kernel = createFakeKernel({ family })
    const reason = new Error('stopping')
    await expect(kernel.apply(made, AbortSignal.abort(reason))).rejects.toBe(reason)
    await expect(kernel.apply({ ...made, family: 'ip6' }, never)).rejects.toMatchObject({ code: 'KERNEL_REFUSED' })
    expect(await kernel.read(never)).toBeUndefined()
  })
})

describe('the faulty kernel', () => {
  const outcomes = async (when: 'before' | 'after', rolls: readonly number[]): Promise<readonly [boolean, number][]> => {
    const inner = createFakeKernel({ family })
    const random = rolls[Symbol.iterator]()
    const kernel = createFaultyKernel(inner, { share: 0.25, when, random: () => random.next().value! })
    const found: [boolean, number][] = []
    for (const _ of rolls) {
      const failed = await kernel.apply(made, never).then(
        () => false,
        (e: unknown) => isWherryError(e, 'KERNEL_REFUSED'),
      )
      found.push([failed, inner.accepted.length])
    }
    return found
  }

  it('fails its share before anything was done', async () => {
    expect(await outcomes('before', [0.9, 0.24, 0.25, 0])).toEqual([
      [false, 1],
      [true, 1],
      [false, 2],
      [true, 2],
    ])
  })

  it('or after it was done', async () => {
    expect(await outcomes('after', [0.9, 0.24, 0.25, 0])).toEqual([
      [false, 1],
      [true, 2],
      [false, 3],
      [true, 4],
    ])
  })

  it('does not hide the failures of the kernel beneath', async () => {
    const kernel = createFaultyKernel(createFakeKernel({ family }), { share: 0.5, when: 'after', random: () => 0 })
    await expect(kernel.apply(second, never)).rejects.toMatchObject({ code: 'KERNEL_NOT_FOUND' })
  })
})

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isWherryError } from '../../api/errors.ts'
import { silentLog } from '../../api/log.ts'
import { createFakeKernel } from '../../agent/kernel/fake/nft.ts'
import type { Kernel as AnyKernel } from '../../agent/kernel/kernel.ts'
import { openLibnftables } from '../../agent/kernel/nft/libnftables.ts'
import { openNftProcess } from '../../agent/kernel/nft/process.ts'
import { createNftKernel } from '../../agent/kernel/nft/nft.ts'
import type { Listing, Operation, Transaction } from '../../rules/nft/model.ts'
import { describeAsRoot, inNamespace, netnsLab, type Netns } from '../kit/netns.ts'
import { fresh, ground, kernelCases, linesOf, type KernelCase, type Outcome } from './kernel.ts'
import { histories } from './kernel-histories.ts'

type Kernel = AnyKernel<Listing, Transaction>

const family = 'ip'
const never = new AbortController().signal

async function outcomeOf(kernel: Kernel, operations: readonly Operation[]): Promise<Outcome> {
  try {
    await kernel.apply({ family, operations }, never)
    return 'ok'
  } catch (e) {
    if (isWherryError(e)) return e.code as Outcome
    throw e
  }
}

const held = async (kernel: Kernel): Promise<readonly string[]> => linesOf(await kernel.read(never))

/** @param version whether a failure that only some versions of nft have is demanded (`1.0.6`) or let be (`any`) */
async function obeys(kernel: Kernel, law: KernelCase, version: '1.0.6' | 'any'): Promise<void> {
  const { given = ground, when, outcome, gains = [], loses = [] } = law
  await kernel.apply(fresh(family, [{ kind: 'add-table' }, ...given]), never)
  const before = await held(kernel)
  const found = await outcomeOf(kernel, when)
  if (found === 'ok' && law.unless !== undefined && version === 'any') return
  expect(found).toBe(outcome)
  expect(before).toEqual(expect.arrayContaining([...loses]))
  expect(await held(kernel)).toEqual([...before.filter((line) => !loses.includes(line)), ...gains].toSorted())
}

describe('the table of kernel laws', () => {
  /** Only making a table cannot fail. */
  const canFail: Readonly<Record<Operation['kind'], boolean>> = {
    'add-table': false,
    'delete-table': true,
    'add-set': true,
    'add-chain': true,
    'add-rule': true,
    'add-elements': true,
    'delete-elements': true,
  }
  const kinds = Object.keys(canFail) as Operation['kind'][]

  it('tries every kind of operation with success', () => {
    const tried = kernelCases.filter((c) => c.outcome === 'ok').flatMap((c) => c.when.map((operation) => operation.kind))
    expect(kinds.filter((kind) => !tried.includes(kind))).toEqual([])
  })

  it('tries every kind of operation that can fail with failure', () => {
    const tried = kernelCases.filter((c) => c.outcome !== 'ok').map((c) => c.when.at(-1)!.kind)
    expect(kinds.filter((kind) => canFail[kind] !== tried.includes(kind))).toEqual([])
  })

  it('says what is different after every success that changes something', () => {
    expect(new Set(kernelCases.map((c) => c.name)).size).toBe(kernelCases.length)
    expect(kernelCases.filter((c) => c.outcome !== 'ok' && (c.gains || c.loses)).map((c) => c.name)).toEqual([])
  })

  it.each(kernelCases.filter((c) => c.outcome !== 'ok'))('blames the last operation: $name', async ({ given = ground, when }) => {
    const kernel = createFakeKernel({ family })
    await kernel.apply(fresh(family, [{ kind: 'add-table' }, ...given]), never)
    expect(await outcomeOf(kernel, when.slice(0, -1))).toBe('ok')
  })
})

describe('the kernel in memory', () => {
  it.each(kernelCases)('$name', (law) => obeys(createFakeKernel({ family }), law, '1.0.6'))
})

describeAsRoot('the real kernel', () => {
  const lab = netnsLab()

  describe.each(['libnftables', 'process'] as const)('through %s', (way) => {
    let netns: Netns
    let kernel: Kernel
    beforeAll(async () => {
      netns = await lab.create()
      kernel = await openIn(netns, way)
    })
    afterAll(() => kernel?.close())

    it.each(kernelCases)('$name', (law) => inNamespace(netns, () => obeys(kernel, law, 'any')))
  })

  it('holds the same after the same bytes through either door', async () => {
    const first = await lab.create()
    const second = await lab.create()
    const [inProcess, asProcess] = [await openIn(first, 'libnftables'), await openIn(second, 'process')]
    for (const { given = ground, when } of kernelCases) {
      const sides: unknown[] = []
      for (const [netns, kernel] of [
        [first, inProcess],
        [second, asProcess],
      ] as const) {
        await inNamespace(netns, async () => {
          await kernel.apply(fresh(family, [{ kind: 'add-table' }, ...given]), never)
          sides.push([
            await outcomeOf(kernel, when),
            await held(kernel),
            (await kernel.print(never)).split(/[\n,]\s*/).toSorted(),
          ])
        })
      }
      expect(sides[0]).toEqual(sides[1])
    }
    inProcess.close()
  })

  it('and the one in memory agree on any history', async () => {
    const netns = await lab.create()
    await inNamespace(netns, async () => {
      const real = await openIn(netns, 'libnftables')
      await fc.assert(
        fc.asyncProperty(histories, async (history) => {
          const fake = createFakeKernel({ family })
          for (const kernel of [fake, real]) await kernel.apply(fresh(family, ground), never)
          for (const operations of history) {
            const expected = await outcomeOf(fake, operations)
            const outcome = await outcomeOf(real, operations)
            // nft looks over a whole transaction before the kernel does: of two faults it may name the second.
            const faults =
              expected === 'ok'
                ? 0
                : await outcomeOf(createFakeKernel({ family, held: await fake.read(never) }), operations.slice(0, -1))
            if (faults === 'ok') expect(outcome).toBe(expected)
            else expect(outcome === 'ok').toBe(expected === 'ok')
            expect(await held(real)).toEqual(await held(fake))
          }
        }),
        { numRuns: 120, seed: 1996 },
      )
      real.close()
    })
  }, 120_000)
})

function openIn(netns: Netns, way: 'libnftables' | 'process'): Promise<Kernel> {
  return inNamespace(netns, async () => {
    const door = way === 'libnftables' ? await openLibnftables() : await openNftProcess(netns.exec, never)
    return createNftKernel({ door, family, log: silentLog })
  })
}

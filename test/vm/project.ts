/** The vitest project of the files that run in a test machine, or are skipped where there can be none. */
import { join } from 'node:path'
import type { TestProjectInlineConfiguration } from 'vitest/config'
import { absentVariable, checkout, findKernel, type KernelFound } from './kernel.ts'
import { vmPool } from './pool.ts'

export const vmFiles = '**/*.vm.test.ts'

/** @param include globs of test files, from the root of the checkout */
export function vmProject(include: readonly string[], found: KernelFound = findKernel()): TestProjectInlineConfiguration {
  const place =
    found.kind === 'present'
      ? { pool: vmPool(found.kernel) }
      : { runner: join(checkout, 'test/vm/absent.ts'), env: { [absentVariable]: found.reason } }
  return {
    extends: true,
    test: {
      ...place,
      name: 'vm',
      include: [...include],
      // One machine, one file after the other, when all else has run: emulation takes a processor, and feels it when it is shared.
      isolate: false,
      maxWorkers: 1,
      sequence: { groupOrder: 1 },
      // Node loads the files by itself, as it does in the agents; an emulated processor feels every detour.
      experimental: { viteModuleRunner: false },
      testTimeout: 60_000,
    },
  }
}

/** What `../vm.test.ts` runs: files that fail as they should in a machine, or are skipped where there is none. */
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { checkout, findKernel } from '../kernel.ts'
import { vmProject } from '../project.ts'

const reason = process.env.PLANTED_ABSENCE

class ByName extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return Promise.resolve(files.toSorted((a, b) => (a.moduleId < b.moduleId ? -1 : 1)))
  }
}

export default defineConfig({
  root: checkout,
  cacheDir: join(checkout, 'node_modules/.cache/planted'),
  test: {
    sequence: { sequencer: ByName },
    projects: [vmProject(['test/vm/planted/*.planted.ts'], reason ? { kind: 'absent', reason } : findKernel())],
  },
})

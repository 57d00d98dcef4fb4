/** The vitest runner where no test machine can be booted: tests keep their names and are skipped, with the reason above them. */
import { describe, TestRunner } from 'vitest'
import { absentVariable } from './kernel.ts'

export default class AbsentRunner extends TestRunner {
  override async importFile(path: string, source: 'collect' | 'setup'): Promise<void> {
    if (source === 'setup') await super.importFile(path, source)
    else describe.skip(`skipped: ${process.env[absentVariable]}`, async () => void (await super.importFile(path, source)))
  }
}

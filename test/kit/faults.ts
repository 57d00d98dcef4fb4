/** Tables of drafts and of what is wrong with them, for tests of validation. */
import { expect, test } from 'vitest'
import type { KubeObject } from '../../api/objects.ts'
import { kindOf, type BuiltInResource } from '../../api/resources.ts'
import { withDefaults } from '../../server/admit/defaults/defaults.ts'
import { loadStructure } from '../../server/admit/validate/structure.ts'
import { validate } from '../../server/admit/validate/validate.ts'

/** `field: message` of everything that is wrong with a draft. */
export async function faultsOf(resource: BuiltInResource, draft: object): Promise<readonly string[]> {
  const structure = await loadStructure(kindOf(resource))
  const shape = structure(draft)
  const causes = shape.length > 0 ? shape : validate(resource, withDefaults(resource, draft as KubeObject))
  return causes.map((c) => `${c.field}: ${c.message}`)
}

/** Rows of what a part of a draft is called, the part, and what is said of it; nothing where it is right. */
export type FaultRow = readonly [what: string, part: object, ...faults: string[]]

/** A test for each row. A row says the beginning of each message, or all of it. */
export function faultTable(resource: BuiltInResource, build: (part: never) => object, rows: readonly FaultRow[]): void {
  test.each(rows)('%s', async (_what, part, ...said) => {
    const expected = said as readonly string[]
    const found = await faultsOf(resource, build(part as never))
    expect(found).toHaveLength(expected.length)
    for (const [i, fault] of found.entries()) expect(fault.slice(0, expected[i]!.length)).toBe(expected[i])
  })
}

/** What is known of the kernel, as a text that outlives this process: not the elements, but what tells whether they are others. */
import { adopt, commit, type Accepted, type Plan } from './accepted.ts'
import type { Family, NodeView } from '../model.ts'
import type { Layout } from './layout.ts'
import type { SetName } from './model.ts'
import { hash } from './names.ts'
import { plan } from './plan.ts'

/** @returns undefined before the first commit */
export function note({ made, extensions, digest }: Accepted): string | undefined {
  return made && noteOf(made.layout, [...extensions].toSorted(), digest)
}

function noteOf({ chains, sets }: Layout, extensions: readonly SetName[], { count, sums }: Accepted['digest']): string {
  const layout = JSON.stringify([[...chains.values()], [...sets.values()]])
  return JSON.stringify({ layout: [layout.length, hash(layout)], extensions, elements: [count, ...sums] })
}

/**
 * The state of knowledge where the kernel holds what was noted, if that is what the view asks for, and nothing else.
 * @returns undefined if it is not, or the note is none; read the kernel then
 */
export function recall(family: Family, noted: string, view: NodeView): { readonly accepted: Accepted; readonly plan: Plan } | undefined {
  const nothing = adopt(family, undefined)
  const made = plan(nothing, view, 'all')
  const accepted = commit(nothing, made)
  // Those that nothing needs any more stay until the table is made anew.
  for (const name of extensionsIn(noted)) accepted.extensions.add(name)
  if (note(accepted) !== noted) return undefined
  const { transaction: _, ...rest } = made
  return { accepted, plan: { ...rest, elements: { added: 0, deleted: 0 } } }
}

function extensionsIn(noted: string): readonly SetName[] {
  try {
    const { extensions } = JSON.parse(noted) as { readonly extensions?: readonly SetName[] }
    return Array.isArray(extensions) ? (extensions as readonly SetName[]) : []
  } catch {
    return []
  }
}

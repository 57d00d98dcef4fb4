/** The registry over a store: the verbs, each in its own file. */
import { applyVerb } from './apply.ts'
import { bindVerb } from './bind.ts'
import { createVerb } from './create.ts'
import type { RegistryDeps } from './deps.ts'
import type { Registry } from './registry.ts'
import { removeVerb } from './remove.ts'
import { updateVerb } from './update.ts'

export type { RegistryDeps }

export function createRegistry(deps: RegistryDeps): Registry {
  return { create: createVerb(deps), update: updateVerb(deps), apply: applyVerb(deps), remove: removeVerb(deps), bind: bindVerb(deps) }
}

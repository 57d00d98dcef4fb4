/** The registry over a store: the four verbs, each in its own file. */
import { bindVerb } from './bind.ts'
import { createVerb } from './create.ts'
import type { RegistryDeps } from './deps.ts'
import type { Registry } from './registry.ts'
import { removeVerb } from './remove.ts'
import { updateVerb } from './update.ts'

export type { RegistryDeps }

export function createRegistry(deps: RegistryDeps): Registry {
  return { create: createVerb(deps), update: updateVerb(deps), remove: removeVerb(deps), bind: bindVerb(deps) }
}

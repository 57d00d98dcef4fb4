/** The registry as a part of the hub uses it: what it writes is its own. */
import type { Registry } from './registry.ts'

/** @param manager name of the part in `managedFields`, where a write gives no other */
export function writingAs(registry: Registry, manager: string): Registry {
  return {
    create: (ref, draft, options) => registry.create(ref, draft, { manager, ...options }),
    update: (ref, change, options) => registry.update(ref, change, { manager, ...options }),
    apply: (ref, config, options) => registry.apply(ref, config, options),
    remove: (ref, options) => registry.remove(ref, options),
    bind: (ref, node, options) => registry.bind(ref, node, { manager, ...options }),
  }
}

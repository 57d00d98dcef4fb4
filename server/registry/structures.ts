/** The structural checks of the kinds that are written, each asked for once. */
import type { ResourceKind } from '../../api/resources.ts'
import { loadStructure, type Structure } from '../admit/validate/structure.ts'

export function createStructures(): (of: ResourceKind) => Structure | Promise<Structure> {
  // Kinds that somebody defines come and go.
  const loaded = new WeakMap<ResourceKind, Structure>()
  const load = async (of: ResourceKind): Promise<Structure> => {
    const structure = await loadStructure(of)
    loaded.set(of, structure)
    return structure
  }
  return (of) => loaded.get(of) ?? load(of)
}

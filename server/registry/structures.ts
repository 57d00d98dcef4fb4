/** The structural checks of the kinds that are written, each asked for once. */
import type { Resource } from '../../api/resources.ts'
import { loadStructure, type Structure } from '../admit/validate/structure.ts'

export function createStructures(): (resource: Resource) => Structure | Promise<Structure> {
  const loaded = new Map<Resource, Structure>()
  const load = async (resource: Resource): Promise<Structure> => {
    const structure = await loadStructure(resource)
    loaded.set(resource, structure)
    return structure
  }
  return (resource) => loaded.get(resource) ?? load(resource)
}

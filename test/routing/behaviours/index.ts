import type { Behaviour } from '../stage.ts'
import { addressBehaviours } from './addresses.ts'
import { affinityBehaviours } from './affinity.ts'
import { changeBehaviours } from './changes.ts'
import { endpointBehaviours } from './endpoints.ts'
import { familyBehaviours } from './families.ts'
import { flowBehaviours } from './flows.ts'
import { lifeBehaviours } from './life.ts'
import { nodePortBehaviours } from './node-ports.ts'
import { refusalBehaviours } from './refusals.ts'
import { serviceBehaviours } from './services.ts'
import { sourceBehaviours } from './sources.ts'

/** All of them, by area of the catalogue. */
export const behaviours: Readonly<Record<string, readonly Behaviour[]>> = {
  services: serviceBehaviours,
  endpoints: endpointBehaviours,
  addresses: addressBehaviours,
  sources: sourceBehaviours,
  refusals: refusalBehaviours,
  'node ports': nodePortBehaviours,
  affinity: affinityBehaviours,
  flows: flowBehaviours,
  changes: changeBehaviours,
  life: lifeBehaviours,
  families: familyBehaviours,
}

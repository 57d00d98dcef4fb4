/** All controllers of the hub, in one list. */
import { writingAs } from '../registry/writing.ts'
import { createBudgetController } from './budgets.ts'
import type { Controller, ControllerDeps } from './controller.ts'
import { createClusterRoleController } from './cluster-roles.ts'
import { createDefinitionController } from './definitions.ts'
import { createDeploymentController } from './deployment.ts'
import { createEndpointsController } from './endpoints.ts'
import { createGarbageController } from './garbage.ts'
import { createNamespaceController } from './namespaces.ts'
import { createNodeLifeController } from './node-life.ts'
import { createNodeRangeController } from './node-ranges.ts'
import { createReplicaSetController } from './replicaset.ts'

export function createControllers(given: ControllerDeps & { readonly clusterCIDR: string }): readonly Controller[] {
  const deps = { ...given, registry: writingAs(given.registry, 'wherry-controllers') }
  return [
    createDeploymentController(deps),
    createReplicaSetController(deps),
    createEndpointsController(deps),
    createBudgetController(deps),
    createNodeRangeController(deps),
    createNodeLifeController(deps),
    createNamespaceController(deps),
    createGarbageController(deps),
    createClusterRoleController(deps),
    createDefinitionController(deps),
  ]
}

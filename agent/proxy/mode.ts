/** The one place where the proxy meets the rules: opens the kernel in the mode that is configured, for each IP family. */
import type { Clock } from '../../api/clock.ts'
import { isWherryError } from '../../api/errors.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import type { Family } from '../../rules/model.ts'
import { createConntrack } from '../kernel/flows/conntrack.ts'
import { createFlowTable } from '../kernel/flows/table.ts'
import type { Exec } from '../kernel/exec.ts'
import { createOwnHands } from '../kernel/nft/hands.ts'
import { modeNames, openMode } from '../modes.ts'
import { createServices, type Services, type ServicesDeps } from '../services.ts'
import type { Dataplane } from '../sync/dataplane.ts'
import type { ProxyConfig } from './config/proxy-config.ts'
import { ProxyError } from './error.ts'
import { familyConfig } from './family-config.ts'
import type { NodeFacts } from './own-node.ts'

export interface KernelDeps {
  readonly exec: Exec
  readonly clock: Clock
  readonly log: Log
  /** Where one process leaves to the next what the kernel holds. */
  readonly notesDir?: string | undefined
}

/** What the services tell while they run. */
export type ServiceTold = Pick<
  ServicesDeps,
  'tables' | 'onAck' | 'onProblem' | 'onPass' | 'onFailure' | 'onQueued' | 'onHealthChecks' | 'onUnserved' | 'onFlowsDeleted'
>

export interface ServedMode {
  /** For people: how the kernel is reached. */
  readonly how: string
  readonly families: readonly Family[]
  serve(told: ServiceTold, facts: NodeFacts): Services
  close(): void
}

const families: readonly Family[] = ['ip', 'ip6']

/**
 * Opens both families. A kernel that lacks one serves the other alone, but not where the one is the node's own.
 * @throws ProxyError USAGE for a mode that is not there; KernelError SETUP where the kernel lacks what it needs
 */
export async function openServedMode(config: ProxyConfig, deps: KernelDeps & { readonly random: () => number }, signal: AbortSignal): Promise<ServedMode> {
  if (!modeNames.includes(config.mode)) throw new ProxyError('USAGE', `mode ${config.mode} is not served: use one of these: ${modeNames.join(', ')}`)
  const { exec, log, clock, random, notesDir } = deps
  const primary: Family = config.bindAddress.includes(':') ? 'ip6' : 'ip'
  const planes: Dataplane[] = []
  const hands = createOwnHands()
  for (const family of families) {
    try {
      planes.push(await openMode(config.mode, { family, exec, log, clock, door: 'auto', ipvs: config.ipvs, hands, notesDir }, signal))
    } catch (e) {
      if (family === primary || !isWherryError(e, 'SETUP')) throw e
      log.warn('one IP family is not served', { family, ...errorKeys(e) })
    }
  }
  return {
    how: planes.map((plane) => plane.how).join(', '),
    families: planes.map((plane) => plane.family),
    serve: (told, facts) =>
      createServices({
        ...told,
        node: config.node,
        lanes: planes.map((dataplane) => {
          const { family } = dataplane
          return { dataplane, conntrack: createConntrack({ table: createFlowTable({ exec, family }), log }), config: familyConfig(config, facts, family) }
        }),
        clock,
        random,
        log,
      }),
    close() {
      for (const plane of planes) plane.close()
    },
  }
}

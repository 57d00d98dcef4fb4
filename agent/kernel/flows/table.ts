/** The kernel's memory of UDP flows (connection tracking), of one IP family, as a table to delete from. */
import { isWherryError } from '../../../api/errors.ts'
import type { Family } from '../../../rules/model.ts'
import type { Exec } from '../exec.ts'
import { openFlowNetlink } from './netlink.ts'
import { createFlowProcess } from './process.ts'

/** A UDP address and port. */
export interface Place {
  readonly address: string
  readonly port: number
}

/** What an entry says, but for its client. */
export interface Flow {
  /** Where the client sends to. */
  readonly service: Place
  /** Where answers come from: after translation the endpoint, else `service` again. */
  readonly target: Place
}

export interface Removal {
  /** Asked of each UDP entry; quick, as there may be a million. */
  readonly isStale: (flow: Flow) => boolean
  /** Told of what was deleted. */
  readonly onRemoved: (flow: Flow, entries: number) => void
}

export interface FlowTable {
  /**
   * Deletes the entries that are stale. Only UDP entries of zone 0 are looked at: other zones are for other networks that
   * share the table. One call at a time.
   * @throws KernelError KERNEL_REFUSED or SETUP; ExecError where conntrack(8) does it, with the reason `absent` without it
   */
  remove(removal: Removal, signal: AbortSignal): Promise<void>
}

export interface FlowTableDeps {
  readonly exec: Exec
  readonly family: Family
  readonly openNetlink?: (family: Family) => Promise<FlowTable>
}

/**
 * The table of the network namespace of this process. It is reached in this process, in a millisecond or so, or by conntrack(8),
 * some tens of milliseconds for each process, where this Node cannot call foreign functions.
 */
export function createFlowTable({ exec, family, openNetlink = openFlowNetlink }: FlowTableDeps): FlowTable {
  let door: FlowTable | undefined
  return {
    async remove(removal, signal) {
      door ??= await openNetlink(family).catch((e: unknown) => {
        if (!isWherryError(e, 'SETUP')) throw e
        return createFlowProcess({ exec, family })
      })
      await door.remove(removal, signal)
    },
  }
}

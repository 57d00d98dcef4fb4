/** iptables as the agent's kernel, through iptables-save and iptables-restore of the variant that the node uses. */
import type { Clock } from '../../../api/clock.ts'
import { isWherryError } from '../../../api/errors.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import {
  afterwards, noRules, parse, removalOf, render, selectOurs, tableNames, type Listing, type Transaction,
} from '../../../rules/iptables/index.ts'
import type { Family } from '../../../rules/model.ts'
import { KernelError } from '../errors.ts'
import { ExecError, type Exec } from '../exec.ts'
import { createSeen, openSign, type OpenSign, type Sign } from './signs.ts'
import { findIptables, type IptablesTools } from './tools.ts'
import { watchIptables } from './watch.ts'
import type { Kernel } from '../kernel.ts'
import { createTurns } from '../pace.ts'

export interface IptablesKernelOptions {
  readonly family: Family
  readonly exec: Exec
  readonly log: Log
  readonly clock: Clock
  /** The real one by default. */
  readonly openSign?: OpenSign
}

/**
 * Chooses the variant that holds rules of ours, else the one with more rules, else nf_tables.
 * @throws KernelError SETUP with the way out in its message
 */
export async function openIptablesKernel(options: IptablesKernelOptions, signal: AbortSignal): Promise<Kernel<Listing, Transaction>> {
  const { family, exec, log } = options
  const found = await findIptables(exec, family, signal)
  const usable = (await Promise.all(found.map((tools) => weigh(tools, log, signal)))).filter((weighed) => weighed !== undefined)
  const [best] = usable.toSorted((a, b) => Number(b.ours) - Number(a.ours) || b.rules - a.rules)
  if (!best) throw new KernelError('SETUP', `iptables: no variant of iptables-restore can be used for ${family}; install the package iptables, and run as root`)
  const { tools } = best
  log.info('The kernel is reached.', { how: tools.how, family, rulesOfOthers: best.rules })
  return createIptablesKernel({ ...options, tools, all: usable.map((each) => each.tools) })
}

interface Weighed {
  readonly tools: IptablesTools
  readonly ours: boolean
  readonly rules: number
}

async function weigh(tools: IptablesTools, log: Log, signal: AbortSignal): Promise<Weighed | undefined> {
  try {
    const text = await tools.saveAll(signal)
    return { tools, ours: parse(text) !== undefined, rules: text.match(/^-A /gm)?.length ?? 0 }
  } catch (e) {
    if (!(e instanceof KernelError || e instanceof ExecError)) throw e
    log.warn('A variant of iptables is installed, but cannot be used.', { how: tools.how, ...errorKeys(e) })
    return undefined
  }
}

interface Deps extends IptablesKernelOptions {
  readonly tools: IptablesTools
  /** All variants that can be used, for cleaning up. */
  readonly all: readonly IptablesTools[]
}

function createIptablesKernel(deps: Deps): Kernel<Listing, Transaction> {
  const { family, tools, all, log, clock } = deps
  /** What our transactions have left; undefined after an error, until the next reading. */
  let left: Listing | undefined
  const turns = createTurns()
  const seen = createSeen(clock)

  const look = async (signal: AbortSignal): Promise<Listing | undefined> => parse(await tools.save('without', signal))
  return {
    how: tools.how,
    async apply(transaction, signal) {
      if (transaction.family !== family)
        throw new KernelError('KERNEL_REFUSED', `family: the transaction is for ${transaction.family}, this kernel is for ${family}`)
      const text = render(transaction)
      if (text === '') return
      log.trace('A transaction goes to the kernel.', { how: tools.how, text })
      await turns.take(async () => {
        const known = left
        left = undefined
        await seen.own(tableNames.filter((table) => transaction.operations[table].length > 0).length, () => tools.restore(text, signal))
        left = known && afterwards(known, transaction)
      })
    },
    read: (signal) =>
      turns.take(async () => {
        const listing = await look(signal)
        left = listing ?? noRules
        return listing
      }),
    print: async (signal) => selectOurs(await tools.save('with', signal)),
    async watch(tell, signal) {
      const sign = await signOf(deps)
      seen.begin(sign)
      const compare = (stop: AbortSignal) =>
        turns.take(async () => {
          const state = (await seen.look(() => look(stop))) ?? noRules
          return { left, seen: state }
        })
      try {
        await watchIptables({ clock, log, mayHaveChanged: () => seen.mayHaveChanged(), look: compare }, tell, signal)
      } finally {
        seen.begin(undefined)
        sign?.close()
      }
    },
    remove: (signal) =>
      turns.take(async () => {
        left = undefined
        for (const each of all) {
          // Without naming a table: in the older variant that would make one.
          const listing = parse(await each.saveAll(signal))
          if (listing) await each.restore(render(removalOf(family, listing)), signal)
        }
      }),
    close() {},
  }
}

async function signOf({ openSign: open = openSign, tools, log, family }: Deps): Promise<Sign | undefined> {
  try {
    return await open(tools.variant, family)
  } catch (e) {
    if (!isWherryError(e, 'SETUP')) throw e
    log.warn('The rules are listed again and again to notice changes by other programs.', { family, ...errorKeys(e) })
    return undefined
  }
}

/**
 * IPVS as the agent's kernel: virtual servers through ipvsadm, a dummy device's addresses through ip, and a table of packet
 * rules through nft. Steps run one after the other; each tool's own share of atomicity is all there is.
 */
import type { Clock } from '../../../api/clock.ts'
import { isWherryError } from '../../../api/errors.ts'
import type { Log } from '../../../api/log.ts'
import {
  createImage, deviceName, isRecorded, listingOf, parseServers, printedText, render, renderStep, selectServers, tableName,
  type Image, type Listing, type Step, type Transaction,
} from '../../../rules/ipvs/index.ts'
import type { Family } from '../../../rules/model.ts'
import { parse } from '../../../rules/nft/parse.ts'
import type { Door } from '../nft/door.ts'
import { KernelError } from '../errors.ts'
import type { Exec } from '../exec.ts'
import { setIpvsSysctls } from './sysctls.ts'
import { createIpvsTools, type IpvsTools } from './tools.ts'
import { watchForStrays } from './watch.ts'
import type { Kernel } from '../kernel.ts'
import { isTorn } from '../nft/listing.ts'
import { openNftProcess } from '../nft/process.ts'
import { createTurns } from '../pace.ts'

export interface IpvsKernelOptions {
  readonly family: Family
  readonly exec: Exec
  readonly log: Log
  readonly clock: Clock
  readonly strictARP: boolean
  /** `/proc/sys` by default. */
  readonly sysctls?: string
  /** The way to nftables; `nft` as a process by default. */
  readonly rules?: Door
}

/**
 * Looks whether this kernel has IPVS, sets what it needs, and makes the dummy device.
 * @throws KernelError SETUP with the way out in its message
 */
export async function openIpvsKernel(options: IpvsKernelOptions, signal: AbortSignal): Promise<Kernel<Listing, Transaction>> {
  const { family, exec, log, clock, strictARP, sysctls = '/proc/sys' } = options
  const tools = createIpvsTools(exec)
  // This loads the module, where it can be loaded.
  const how = `ipvsadm, IPVS ${/version (\S+)/.exec(await tools.servers(signal))?.[1] ?? 'of an unknown version'}`
  setIpvsSysctls({ family, strictARP, root: sysctls })
  await makeDevice(tools, signal)
  const rules = options.rules ?? (await openNftProcess(exec, signal))
  log.info('The kernel is reached.', { how, rules: rules.how, family })
  return createIpvsKernel({ family, tools, rules, log, clock, how })
}

async function makeDevice(tools: IpvsTools, signal: AbortSignal): Promise<void> {
  try {
    await tools.batch(renderStep('ip', { kind: 'addresses', operations: [{ kind: 'add-device' }] }), signal)
  } catch (e) {
    // The other family's kernel, or an earlier run, has made it.
    if (!isWherryError(e, 'KERNEL_EXISTS')) throw e
  }
}

interface Deps {
  readonly family: Family
  readonly tools: IpvsTools
  readonly rules: Door
  readonly log: Log
  readonly clock: Clock
  readonly how: string
}

function createIpvsKernel(deps: Deps): Kernel<Listing, Transaction> {
  const { family, tools, rules, log, clock, how } = deps
  /** What our steps have left; undefined after an error, until the next reading. */
  let left: Image | undefined
  const turns = createTurns()
  /** Goes on at the beginning and at the end of each of our own changes. */
  let changes = 0

  const look = (signal: AbortSignal): Promise<Listing> => readListing(deps, signal)
  const run = async (step: Step, signal: AbortSignal): Promise<void> => {
    const text = renderStep(family, step)
    if (step.kind === 'rules') await rules.run(text, signal)
    else if (step.kind === 'servers') await tools.restore(text, signal)
    else await tools.batch(text, signal)
  }
  const runAll = (steps: readonly Step[], signal: AbortSignal): Promise<void> =>
    turns.take(async () => {
      changes++
      const known = left
      left = undefined
      for (const step of steps) {
        await run(step, signal)
        known?.apply(step)
      }
      left = known
      changes++
    })

  return {
    how,
    async apply(transaction, signal) {
      if (transaction.family !== family)
        throw new KernelError('KERNEL_REFUSED', `family: the transaction is for ${transaction.family}, this kernel is for ${family}`)
      if (transaction.steps.length === 0) return
      log.trace('A transaction goes to the kernel.', { how, text: render(transaction) })
      await runAll(transaction.steps, signal)
    },
    read: (signal) =>
      turns.take(async () => {
        const listing = await look(signal)
        left = createImage(listing)
        return listing
      }),
    async print(signal) {
      const table = await listed(rules, { family, name: tableName }, 'people', signal)
      if (table === undefined) return ''
      const [addresses, servers, counts] = await Promise.all([tools.addresses(family, signal), tools.servers(signal), tools.counts(signal)])
      const listing = listingOf({ family, table, addresses, servers })
      const ours = (text: string): string => selectServers(text, family, (key) => isRecorded(listing, key))
      return printedText({ table, addresses, servers: ours(servers), counts: ours(counts) })
    },
    watch(tell, signal) {
      const ours = { left: () => left?.listing, changes: () => changes, alone: (work: () => Promise<void>) => turns.take(work) }
      return watchForStrays({ clock, log, look, ...ours }, tell, signal)
    },
    async remove(signal) {
      const listing = await look(signal)
      const ours = [...listing.servers.keys()].filter((key) => isRecorded(listing, key))
      const steps: Step[] = [
        { kind: 'addresses', operations: [...listing.addresses].map((address) => ({ kind: 'delete-address', address })) },
        { kind: 'servers', operations: ours.map((virtual) => ({ kind: 'delete-server', virtual })) },
        { kind: 'rules', operations: listing.table ? [{ kind: 'delete-table' }] : [] },
      ]
      await runAll(steps.filter(({ operations }) => operations.length > 0), signal)
      left = undefined
      const device = (await tools.interfaces(signal)).find(({ name }) => name === deviceName)
      // The other family's addresses may still be on it.
      if (device?.addresses.length === 0) await tools.batch(`link delete ${deviceName}\n`, signal)
    },
    close: () => rules.close(),
  }
}

async function readListing({ family, tools, rules, log }: Deps, signal: AbortSignal): Promise<Listing> {
  const readings = [tools.servers(signal), tools.interfaces(signal), readTable(rules, family, log, signal)] as const
  const [servers, interfaces, table] = await Promise.all(readings)
  const mine = (addresses: readonly string[]): readonly string[] => addresses.filter((address) => address.includes(':') === (family === 'ip6'))
  const device = interfaces.find(({ name }) => name === deviceName)
  return {
    family,
    ...(table && { table }),
    servers: parseServers(family, servers),
    device: device !== undefined,
    addresses: new Set(mine(device?.addresses ?? [])),
    hostAddresses: [...new Set(interfaces.filter(({ name }) => name !== deviceName).flatMap(({ addresses }) => mine(addresses)))],
  }
}

const readAttempts = 5

async function readTable(rules: Door, family: Family, log: Log, signal: AbortSignal): Promise<Listing['table']> {
  for (let attempt = 1; attempt <= readAttempts; attempt++) {
    const text = await listed(rules, { family, name: tableName }, 'exact', signal)
    if (text === undefined) return undefined
    const listing = parse(text)
    if (!isTorn(text, listing)) return listing
    log.debug('The kernel rearranged a set while it was listed; it is listed again.', { attempt })
  }
  throw new KernelError('KERNEL_REFUSED', `read: each of ${readAttempts} listings was torn by the kernel; read again later`)
}

/** The text of a table; undefined if there is none. */
async function listed(rules: Door, ...question: Parameters<Door['list']>): Promise<string | undefined> {
  try {
    return await rules.list(...question)
  } catch (e) {
    if (isWherryError(e, 'KERNEL_NOT_FOUND')) return undefined
    throw e
  }
}

/** The ways of serving virtual IPs, and how each is opened. The only file that knows all of them. */
import { join } from 'node:path'
import type { Clock } from '../api/clock.ts'
import { isWherryError } from '../api/errors.ts'
import { errorKeys, type Log } from '../api/log.ts'
import type { ModeName } from '../rules/mode.ts'
import type { Family } from '../rules/model.ts'
import { nftMode } from '../rules/nft/index.ts'
import { KernelError } from './kernel/errors.ts'
import type { Exec } from './kernel/exec.ts'
import type { OwnHands } from './kernel/nft/hands.ts'
import type { NftDoor } from './kernel/nft/doors.ts'
import { openNftKernel } from './kernel/nft/nft.ts'
import { createDataplane, type Dataplane } from './sync/dataplane.ts'
import { openNotebook } from './sync/notebook.ts'

export interface ModeOptions {
  readonly family: Family
  readonly exec: Exec
  readonly log: Log
  readonly clock: Clock
  /** How nftables is reached. */
  readonly door: NftDoor
  /** Of this process: to be shared by both families, so that neither takes the other one's work for somebody else's. */
  readonly hands?: OwnHands
  /** The folder where a process before this one noted what the kernel holds, and one after it may recall that. */
  readonly notesDir?: string | undefined
  readonly ipvs?: { readonly scheduler: string; readonly strictARP: boolean }
}

const families: readonly Family[] = ['ip', 'ip6']

type Open = (options: ModeOptions, signal: AbortSignal) => Promise<Dataplane>

/** The default comes with the agent; the code of another mode is loaded with it. */
const modes: Readonly<Partial<Record<ModeName, Open>>> = {
  async nftables({ family, exec, log, clock, door, hands, notesDir }, signal) {
    const kernel = await openNftKernel({ prefer: door, family, exec, log, hands }, signal)
    const notes = notesDir === undefined ? undefined : { notebook: openNotebook(join(notesDir, `rules-${family}.json`), log), clock }
    return createDataplane(family, nftMode, kernel, notes)
  },
  async ipvs({ ipvs = { scheduler: 'rr', strictARP: false }, ...options }, signal) {
    const { createIpvsMode } = await import('../rules/ipvs/index.ts')
    const { openIpvsKernel } = await import('./kernel/ipvs/ipvs.ts')
    const kernel = await openIpvsKernel({ ...options, strictARP: ipvs.strictARP }, signal)
    return createDataplane(options.family, createIpvsMode({ scheduler: ipvs.scheduler }), kernel)
  },
  async iptables(options, signal) {
    const { iptablesMode } = await import('../rules/iptables/index.ts')
    const { openIptablesKernel } = await import('./kernel/iptables/iptables.ts')
    return createDataplane(options.family, iptablesMode, await openIptablesKernel(options, signal))
  },
}

/** The modes that can be opened, the default first. */
export const modeNames = Object.keys(modes) as readonly ModeName[]

/**
 * Opens a mode and looks whether the kernel has what it needs.
 * @throws KernelError SETUP if it has not, with the way out in its message
 */
export async function openMode(name: ModeName, options: ModeOptions, signal: AbortSignal): Promise<Dataplane> {
  const open = modes[name]
  if (!open) throw new KernelError('SETUP', `mode ${name} is not served; use one of these: ${modeNames.join(', ')}`)
  return open(options, signal)
}

/**
 * Takes away everything that any mode ever wrote here; nothing is no error.
 * @param but a mode that is to stay
 */
export async function removeRules(options: Pick<ModeOptions, 'exec' | 'log' | 'clock'>, signal: AbortSignal, but?: ModeName): Promise<void> {
  for (const mode of modeNames) {
    if (mode === but || (mode === 'ipvs' && !(await hasIpvsTraces(options.exec, signal)))) continue
    for (const family of families) await removeMode(mode, { ...options, family, door: 'auto' }, signal)
  }
}

async function removeMode(mode: ModeName, options: ModeOptions, signal: AbortSignal): Promise<void> {
  let dataplane: Dataplane
  try {
    dataplane = await openMode(mode, options, signal)
  } catch (e) {
    if (!isWherryError(e, 'SETUP')) throw e
    // What cannot be reached was never written to.
    options.log.debug('a mode is not there to be cleaned up', { mode, family: options.family, ...errorKeys(e) })
    return
  }
  try {
    await dataplane.remove(signal)
  } finally {
    dataplane.close()
  }
}

/**
 * Opening IPVS loads its module and changes settings of the kernel, so it is not opened to find nothing. Whatever it wrote stands
 * on record in its table, or waits behind its device.
 */
async function hasIpvsTraces(exec: Exec, signal: AbortSignal): Promise<boolean> {
  const { deviceName, tableName } = await import('../rules/ipvs/index.ts')
  const signs = [
    { command: 'ip', args: ['link', 'show', 'dev', deviceName] },
    ...families.map((family) => ({ command: 'nft', args: ['-t', 'list', 'table', family, tableName] })),
  ]
  for (const sign of signs) {
    try {
      await exec.run(sign, signal)
      return true
    } catch (e) {
      if (signal.aborted) throw e
    }
  }
  return false
}

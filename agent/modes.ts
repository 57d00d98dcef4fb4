/** The ways of serving virtual IPs, and how each is opened. The only file that knows all of them. */
import type { Clock } from '../api/clock.ts'
import type { Log } from '../api/log.ts'
import { iptablesMode } from '../rules/iptables/index.ts'
import { createIpvsMode } from '../rules/ipvs/index.ts'
import type { ModeName } from '../rules/mode.ts'
import type { Family } from '../rules/model.ts'
import { nftMode } from '../rules/nft/index.ts'
import { KernelError } from './kernel/errors.ts'
import type { Exec } from './kernel/exec.ts'
import type { OwnHands } from './kernel/hands.ts'
import { openIptablesKernel } from './kernel/iptables.ts'
import { openIpvsKernel } from './kernel/ipvs.ts'
import { openNftKernel, type NftDoor } from './kernel/nft.ts'
import { createDataplane, type Dataplane } from './sync/dataplane.ts'

export interface ModeOptions {
  readonly family: Family
  readonly exec: Exec
  readonly log: Log
  readonly clock: Clock
  /** How nftables is reached. */
  readonly door: NftDoor
  /** Of this process: to be shared by both families, so that neither takes the other one's work for somebody else's. */
  readonly hands?: OwnHands
  readonly ipvs?: { readonly scheduler: string; readonly strictARP: boolean }
}

type Open = (options: ModeOptions, signal: AbortSignal) => Promise<Dataplane>

const modes: Readonly<Partial<Record<ModeName, Open>>> = {
  async nftables({ family, exec, log, door, hands }, signal) {
    return createDataplane(family, nftMode, await openNftKernel({ prefer: door, family, exec, log, hands }, signal))
  },
  async ipvs({ ipvs = { scheduler: 'rr', strictARP: false }, ...options }, signal) {
    const kernel = await openIpvsKernel({ ...options, strictARP: ipvs.strictARP }, signal)
    return createDataplane(options.family, createIpvsMode({ scheduler: ipvs.scheduler }), kernel)
  },
  async iptables(options, signal) {
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

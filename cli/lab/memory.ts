/** What a lab remembers of itself between commands: the file `lab.json` in its state directory. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ModeName } from '../../rules/mode.ts'
import type { Exec } from '../exec.ts'
import { CliError } from '../error.ts'
import { createLabPlan, labDefaults, type LabPlan } from './plan.ts'

export interface LabMemory {
  readonly nodes: number
  readonly port: number
  readonly proxyMode: ModeName
  /** What the machine's own network namespace had before the lab: `down` compares. */
  readonly before: RootNetwork
}

export interface RootNetwork {
  readonly links: readonly string[]
  /** Lines of `nft list tables`. */
  readonly tables: readonly string[]
}

/** What a person asked for; what is absent is as it was, or the default. */
export interface LabWish {
  readonly name?: string
  readonly nodes?: number
  readonly port?: number
  readonly proxyMode?: ModeName
  readonly stateDir?: string
  readonly runDir?: string
}

/** The plan of the lab that is there or would be, for a wish. @throws CliError USAGE if the lab that is there has another shape */
export function recallPlan(wish: LabWish): { readonly plan: LabPlan; readonly memory: LabMemory | undefined } {
  const wished = defined(wish)
  const first = createLabPlan({ ...labDefaults, ...wished })
  const memory = readMemory(first.stateDir)
  if (!memory) return { plan: first, memory }
  if (wish.port !== undefined && wish.port !== memory.port) {
    throw new CliError(
      'USAGE',
      `this lab is there already, on port ${memory.port}`,
      'run `wherry down` before you choose another port',
    )
  }
  if (wish.nodes !== undefined && wish.nodes < memory.nodes) {
    throw new CliError(
      'USAGE',
      `this lab is there already, with ${memory.nodes} nodes`,
      'run `wherry down` before you choose fewer nodes',
    )
  }
  return { plan: createLabPlan({ ...labDefaults, ...memory, ...wished }), memory }
}

export function readMemory(stateDir: string): LabMemory | undefined {
  try {
    return JSON.parse(readFileSync(join(stateDir, 'lab.json'), 'utf8')) as LabMemory
  } catch {
    return undefined
  }
}

export function writeMemory(plan: LabPlan, before: RootNetwork): void {
  const memory: LabMemory = { nodes: plan.nodes.length, port: plan.port, proxyMode: plan.proxyMode, before }
  // containerd's shims are not root's alone: they must be able to pass.
  mkdirSync(plan.stateDir, { recursive: true, mode: 0o711 })
  writeFileSync(join(plan.stateDir, 'lab.json'), `${JSON.stringify(memory, undefined, 2)}\n`, { mode: 0o600 })
}

/** The links and nftables tables of the machine's own network namespace. */
export async function observeRoot(exec: Exec, signal: AbortSignal): Promise<RootNetwork> {
  const options = { signal, timeoutMs: 10_000 }
  const [links, tables] = await Promise.all([
    exec.run(['ip', '-json', 'link', 'show'], options),
    exec.tryRun(['nft', 'list', 'tables'], options),
  ])
  return {
    links: (JSON.parse(links.stdout || '[]') as readonly { readonly ifname: string }[]).map((link) => link.ifname),
    tables: tables.stdout.split('\n').filter((line) => line !== ''),
  }
}

function defined(wish: LabWish): Partial<LabWish> & object {
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined))
}

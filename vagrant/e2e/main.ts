/**
 * `npm run e2e:vagrant`: builds the offline box, runs a real `vagrant up` of real virtual machines without a network and without
 * hardware virtualisation, and checks what its user would see, a line for each. Exit code 0 only if all of it was so.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../api/clock.ts'
import { createExec } from '../../cli/exec.ts'
import { createSteps } from '../../cli/progress.ts'
import { provideBox } from './box.ts'
import type { Check } from './check.ts'
import { modes } from './checks/modes.ts'
import { nodes } from './checks/nodes.ts'
import { outages } from './checks/outages.ts'
import { routing } from './checks/routing.ts'
import { services } from './checks/services.ts'
import { createCluster, type Cluster } from './cluster.ts'
import { readConfig } from './config.ts'
import { must } from './error.ts'
import { createGround, type Ground } from './ground.ts'
import { installPackages } from './packages.ts'

const config = readConfig()
const steps = createSteps({ write: (text) => process.stdout.write(text), now: () => systemClock.now(), colour: config.colour })
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort(new DOMException(`interrupted by ${signal}`, 'AbortError')))

const begin = systemClock.now()
const minutes = (): string => `${((systemClock.now() - begin) / 60_000).toFixed(1)} minutes`
const checks: readonly Check[] = [...nodes, ...services, ...outages, ...modes, ...routing]
const parts = new Set(checks.map(({ part }) => part))
/** A word that names no part is looked for in what the checks say. */
const wanted = (check: Check): boolean => config.only.length === 0 || config.only.some((word) => (parts.has(word) ? check.part === word : check.what.includes(word)))

async function main(): Promise<number> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    process.stderr.write('This run makes a network namespace and virtual machines: run it as root, on Linux.\n')
    return 3
  }
  const exec = createExec(config.path)
  const ground = createGround({ config, exec, clock: systemClock, signal: stop.signal })
  if (process.argv[2] === 'down') return takeAway(ground)
  const failed: string[] = []
  try {
    const cluster = await prepare(ground, exec)
    for (const check of checks.filter(wanted)) {
      await steps.step(check.what, () => check.run(cluster)).catch((e: unknown) => {
        stop.signal.throwIfAborted()
        failed.push(check.what)
        steps.say(`      ${(e as Error).message}`)
      })
    }
    if (failed.length > 0) steps.say(`      journals are in ${await cluster.keepJournals()}`)
    if (!config.keep) await away(cluster, ground).catch((e: unknown) => void failed.push((e as Error).message))
  } catch (e) {
    failed.push((e as Error).message)
    steps.say(`      ${(e as Error).message}`)
  } finally {
    if (!config.keep) failed.push(...(await ground.down()).map((left) => `left behind: ${left}`))
  }
  steps.say(failed.length === 0 ? `All of it was so, in ${minutes()}.` : `Not so, after ${minutes()}: ${failed.join('; ')}`)
  return failed.length === 0 ? 0 : 1
}

/** Ends what a run left that was to keep its machines. */
async function takeAway(ground: Ground): Promise<number> {
  const left = await ground.down()
  steps.say(left.length === 0 ? 'Nothing is left.' : `left behind: ${left.join(', ')}`)
  return left.length === 0 ? 0 : 1
}

async function prepare(ground: Ground, exec: ReturnType<typeof createExec>): Promise<Cluster> {
  await steps.step("Debian's packages for this run", async () => {
    const lacking = await installPackages({ exec, signal: stop.signal })
    return lacking.length === 0 ? 'nothing to do' : lacking.join(', ')
  })
  const box = await steps.step('the offline box', async () => {
    const found = await provideBox(config, exec, stop.signal)
    steps.say(`      ${found.catalogue}${found.built ? '' : ', built before'}`)
    return found
  })
  await steps.step('a namespace, and libvirt in it', () => ground.up())
  const cluster = createCluster({ config, ground, exec, clock: systemClock, signal: stop.signal })
  if (config.keep && existsSync(cluster.kubeconfig)) {
    steps.say('      the machines of an earlier run are taken as they stand')
    return cluster
  }
  await steps.step('vagrant box add', async () => void (await cluster.vagrant('box', 'add', box.catalogue, '--provider', 'libvirt', '--force')))
  await steps.step(`vagrant up: ${cluster.machines.map((machine) => machine.name).join(', ')}`, async () => void (await cluster.vagrant('up', '--provider', 'libvirt')))
  return cluster
}

/** What the last command of the tour promises. */
async function away(cluster: Cluster, ground: Ground): Promise<void> {
  await steps.step('vagrant destroy leaves nothing', async () => {
    await cluster.vagrant('destroy', '-f')
    const machines = (await ground.virsh('list', '--all', '--name')).stdout.trim()
    must(machines === '', `machines: ${machines}`)
    const networks = (await ground.virsh('net-list', '--all', '--name')).stdout.trim()
    must(networks === '', `networks: ${networks}`)
    const volumes = (await ground.virsh('vol-list', 'wherry-e2e')).stdout
    must(!volumes.includes('wherry-e2e_'), `disks: ${volumes}`)
    must(!existsSync(join(cluster.kubeconfig, '..')), `${cluster.kubeconfig} is still there`)
    return 'no machine, no network, no disk, no kubeconfig'
  })
}

process.exitCode = await main()

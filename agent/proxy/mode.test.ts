/** Which IP families are served where the programs of one of them are missing. */
import { expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import type { Log } from '../../api/log.ts'
import { silentLog } from '../../api/log.ts'
import { ExecError, type Exec } from '../kernel/exec.ts'
import { readCommand } from './config/config.ts'
import { openServedMode } from './mode.ts'

/** A machine with iptables whose tables are empty, but without the programs that begin with `without`. */
function machine(without: string): Exec {
  return {
    async run(command) {
      if (command.command.startsWith(without)) throw new ExecError('absent', command, { stderr: '', what: 'there is no such program' })
      return { stdout: command.args[0] === '--version' ? 'iptables-restore v1.8.9 (nf_tables)\n' : '', stderr: '' }
    },
    stream: () => Promise.reject(new Error('nothing is followed here')),
  }
}

function open(without: string, bindAddress: string) {
  const command = readCommand(['--proxy-mode=iptables', `--bind-address=${bindAddress}`, '--kubeconfig=none'], { hostname: 'node1', readFile: () => '' })
  if (command.kind !== 'run') throw new Error(`${command.kind}: a command that runs is wanted`)
  const warnings: unknown[] = []
  const log: Log = { ...silentLog, warn: (message, keys) => void warnings.push({ message, ...keys }) }
  const deps = { exec: machine(without), clock: systemClock, log, random: () => 0 }
  return { warnings, mode: openServedMode(command.config, deps, AbortSignal.timeout(10_000)) }
}

test.each([
  ['both, where both are there', 'nothing', '0.0.0.0', ['ip', 'ip6'], []],
  ['IPv4 alone, where IPv6 is missing', 'ip6tables', '0.0.0.0', ['ip'], ['ip6']],
  ['IPv6 alone, where IPv4 is missing and the node is one of IPv6', 'iptables', '::', ['ip6'], ['ip']],
])('serves %s (F3)', async (_, without, bindAddress, served, missing) => {
  const { mode, warnings } = open(without, bindAddress)
  expect((await mode).families).toEqual(served)
  expect(warnings).toMatchObject(missing.map((family) => ({ message: 'one IP family is not served', family })))
})

test.each([
  ['iptables', '0.0.0.0'],
  ['ip6tables', '::'],
])('does not start without %s on a node with the address %s (F3)', async (without, bindAddress) => {
  await expect(open(without, bindAddress).mode).rejects.toMatchObject({ code: 'SETUP', message: expect.stringContaining('install the package iptables') })
})

import { describe, expect, it } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import type { Exec } from '../../agent/kernel/exec.ts'
import { createFakeIptables } from '../../agent/kernel/fake/iptables.ts'
import { openIptablesKernel } from '../../agent/kernel/iptables/iptables.ts'
import { describeAsRoot, netnsLab } from '../kit/netns.ts'
import { codeFor, iptablesLaws, runIptablesLaw, runTableLaw, tableLawHolds } from './iptables.ts'

const signal = AbortSignal.timeout(120_000)
const variants = ['nft', 'legacy'] as const
const open = (exec: Exec) => openIptablesKernel({ family: 'ip', exec, log: silentLog, clock: systemClock }, signal)

describe.each(variants)('iptables in memory: %s', (variant) => {
  const kernel = () => open(createFakeIptables('iptables', variant).exec)

  it.each(iptablesLaws)('$name', async (law) => {
    expect(await runIptablesLaw(await kernel(), law, signal)).toEqual({ code: codeFor(law, variant), left: law.left })
  })

  it('each table is written on its own', async () => {
    expect(await runTableLaw(await kernel(), signal)).toEqual(tableLawHolds)
  })
})

describe.each(variants)('with %s', (variant) => {
  describeAsRoot('the kernel', () => {
    const lab = netnsLab()
    /** A rule of others makes the door choose the variant. */
    async function kernel() {
      const netns = await lab.create()
      await netns.exec.run({ command: `iptables-${variant}`, args: ['-A', 'FORWARD', '-s', '10.9.9.0/24', '-j', 'DROP'] }, signal)
      const opened = await open(netns.exec)
      expect(opened.how).toContain(`iptables-${variant}-restore`)
      return opened
    }

    it.each(iptablesLaws)('$name', async (law) => {
      expect(await runIptablesLaw(await kernel(), law, signal)).toEqual({ code: codeFor(law, variant), left: law.left })
    })

    it('each table is written on its own', async () => {
      expect(await runTableLaw(await kernel(), signal)).toEqual(tableLawHolds)
    })
  })
})

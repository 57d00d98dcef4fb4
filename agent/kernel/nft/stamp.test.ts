import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { systemClock } from '../../../api/clock.ts'
import { silentLog } from '../../../api/log.ts'
import { nftMode } from '../../../rules/nft/index.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from '../../../test/kit/netns.ts'
import { fullView } from '../../../test/kit/views.ts'
import { waitFor } from '../../../test/kit/wait.ts'
import { createDataplane, type Dataplane } from '../../sync/dataplane.ts'
import { openNotebook } from '../../sync/notebook.ts'
import { KernelError } from '../errors.ts'
import { openNetlinkTalk } from '../netlink.ts'
import { openLibnftables } from './libnftables.ts'
import { createNftKernel, openNftKernel } from './nft.ts'
import { createStamper } from './stamp.ts'

const never = new AbortController().signal

describeAsRoot('the stamp of the rules', () => {
  const lab = netnsLab()
  const inside = async <T>(run: (netns: Netns) => Promise<T>): Promise<T> => {
    const netns = await lab.create()
    return inNamespace(netns, () => run(netns))
  }
  const stamp = async (): Promise<string | undefined> => {
    const stamper = createStamper({ openTalk: openNetlinkTalk })
    const found = await stamper.stamp()
    stamper.close()
    return found
  }

  it('stays while nothing changes, and is another one after any change of anybody', () =>
    inside(async (netns) => {
      const stamps = [await stamp()]
      expect(stamps[0]).toMatch(/^[0-9a-f-]{36} \d+ \d+$/)
      expect(await stamp()).toBe(stamps[0])
      for (const command of ['add table ip other', 'add set ip other s { type ipv4_addr; }', 'add element ip other s { 10.0.0.1 }', 'delete table ip other', 'add table inet more']) {
        await execIn(netns, 'nft', [command])
        stamps.push(await stamp())
      }
      expect(new Set(stamps).size).toBe(6)
      const kept = createStamper({ openTalk: openNetlinkTalk })
      expect(await kept.stamp()).toBe(stamps.at(-1))
      await execIn(netns, 'nft', ['delete table inet more'])
      expect([await kept.stamp(), new Set([...stamps, await kept.stamp()]).size]).toEqual([await stamp(), 7])
      kept.close()
    }))

  it('is of one network namespace', async () => {
    const stamps = [await inside(stamp), await inside(stamp)]
    expect(stamps.map((each) => each?.split(' ')[2])).toEqual(['1', '1'])
    expect(stamps[0]).not.toBe(stamps[1])
  })

  it('is none where the kernel cannot be asked', async () => {
    expect(await createStamper({}).stamp()).toBeUndefined()
    expect(await createStamper({ openTalk: () => Promise.reject(new KernelError('SETUP', 'netlink: no')) }).stamp()).toBeUndefined()
  })

  it('is none where changes by other hands are not noticed', () =>
    inside(async () => {
      const openSocket = () => Promise.reject(new KernelError('SETUP', 'netlink: no'))
      const kernel = createNftKernel({ door: await openLibnftables(), family: 'ip', log: silentLog, openTalk: openNetlinkTalk, openSocket })
      expect(await kernel.stamp!()).toBeDefined()
      const stop = new AbortController()
      const watching = kernel.watch(() => {}, stop.signal)
      await waitFor('the watch to fail', async () => (await kernel.stamp!()) === undefined)
      stop.abort()
      await watching
      kernel.close()
    }))

  it.each(['ip', 'ip6'] as const)('tells the next process of %s whether to read the kernel', (family) =>
    inside(async (netns) => {
      const dir = mkdtempSync(join(tmpdir(), 'stamp-'))
      const view = fullView(family)
      let reads = 0
      const open = async (): Promise<Dataplane> => {
        const kernel = await openNftKernel({ prefer: 'auto', family, exec: netns.exec, log: silentLog }, never)
        const read: typeof kernel.read = (signal) => {
          reads++
          return kernel.read(signal)
        }
        return createDataplane(family, nftMode, { ...kernel, read }, { notebook: openNotebook(join(dir, 'rules.json'), silentLog), clock: systemClock })
      }
      try {
        const first = await open()
        await first.bring(view, 'all', never)
        expect(reads).toBe(1)
        const stop = new AbortController()
        const noting = first.note(stop.signal)
        const notebook = openNotebook(join(dir, 'rules.json'), silentLog)
        await waitFor('what the kernel holds to be noted', () => notebook.read() !== undefined)
        stop.abort()
        await noting
        first.close()

        const next = await open()
        expect((await next.bring(view, 'all', never)).transaction).toBeUndefined()
        expect([next.isKnown(), reads]).toEqual([true, 1])
        next.close()

        await execIn(netns, 'nft', [`flush set ${family} wherry hairpin`])
        const last = await open()
        expect((await last.bring(view, 'all', never)).elements.added).toBeGreaterThan(0)
        expect(reads).toBe(2)
        last.close()
      } finally {
        rmSync(dir, { recursive: true })
      }
    }),
  )
})

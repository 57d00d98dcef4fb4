import { beforeAll, expect, test } from 'vitest'
import { systemClock } from '../api/clock.ts'
import { silentLog } from '../api/log.ts'
import type { Family, NodeView } from '../rules/model.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from '../test/kit/netns.ts'
import { endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../test/kit/views.ts'
import { waitFor } from '../test/kit/wait.ts'
import { createOwnHands } from './kernel/nft/hands.ts'
import type { ForeignChange } from './kernel/kernel.ts'
import { openMode, removeRules } from './modes.ts'

const families = ['ip', 'ip6'] as const
const addressOf = (family: Family, net: number, n: number): string =>
  family === 'ip' ? `10.${net}.${n >> 8}.${n & 255}` : `fd00:${net}::${n.toString(16)}`

const config = nodeConfigOf({ pods: { kind: 'none' }, nodePortAddresses: [], nodeAddresses: [] })

const emptyView = (): NodeView => nodeView([], config)

/** Of more text than is written beside the looks for other hands. */
function largeView(family: Family): NodeView {
  const services = Array.from({ length: 8_000 }, (_, n) =>
    serviceView({
      key: `default/service-${n}`,
      clusterIPs: [addressOf(family, 96, n + 1)],
      ports: [portView({ endpoints: [1, 2].map((net) => endpointView(addressOf(family, 240 + net, n + 1))) })],
    }),
  )
  return nodeView(services, config)
}

describeAsRoot('nftables in both families, by one pair of hands', () => {
  const lab = netnsLab()
  let netns: Netns
  beforeAll(async () => {
    netns = await lab.create()
  })

  test('neither takes the large changes of the other for foreign ones', async () => {
    const stop = new AbortController()
    const { signal } = stop
    const hands = createOwnHands()
    await inNamespace(netns, async () => {
      const lanes = await Promise.all(
        families.map(async (family) => {
          const plane = await openMode('nftables', { family, exec: netns.exec, log: silentLog, clock: systemClock, door: 'auto', hands }, signal)
          await plane.bring(emptyView(), 'all', signal)
          const told: ForeignChange[] = []
          return { family, plane, told, watching: plane.watch((change) => told.push(change), signal) }
        }),
      )
      let chains = 0
      /** Somebody else changes both tables, until it is told of. */
      const meddle = (): Promise<unknown> =>
        Promise.all(
          lanes.map(({ family, told }) =>
            waitFor('a foreign change to be told', async () => {
              await execIn(netns, 'nft', ['add', 'chain', family, 'wherry', `theirs-${chains++}`])
              return told.length > 0
            }, 20_000),
          ),
        )
      await meddle()
      for (const { told } of lanes) told.length = 0
      // Not each of them need meet one of the other family.
      for (const viewOf of [largeView, emptyView, largeView, emptyView]) {
        await Promise.all(lanes.map(({ family, plane }) => plane.bring(viewOf(family), 'all', signal)))
      }
      await meddle()
      for (const { family, told } of lanes) {
        for (const change of told) expect(change).toMatchObject({ what: expect.stringContaining(`add chain ${family} wherry theirs-`) as string, by: { name: 'nft' } })
      }
      stop.abort()
      await Promise.all(lanes.map(({ watching }) => watching))
      for (const { plane } of lanes) plane.close()
    })
  }, 60_000)
})

describeAsRoot('what another mode left', () => {
  const lab = netnsLab()
  let netns: Netns
  beforeAll(async () => {
    netns = await lab.create()
  })

  test('goes, and the mode that serves stays; without one everything goes', () =>
    inNamespace(netns, async () => {
      const signal = AbortSignal.timeout(30_000)
      const options = { exec: netns.exec, log: silentLog, clock: systemClock }
      for (const mode of ['iptables', 'nftables'] as const)
        for (const family of families) {
          const plane = await openMode(mode, { ...options, family, door: 'auto' }, signal)
          await plane.bring(nodeView([serviceView({ clusterIPs: [addressOf(family, 96, 1)], ports: [portView({ endpoints: [endpointView(addressOf(family, 244, 1))] })] })], config), 'all', signal)
          plane.close()
        }
      const rules = async () => {
        const [nft, ...saved] = await Promise.all([['nft', 'list', 'tables'], ['iptables-save'], ['ip6tables-save']].map(([command = '', ...args]) => execIn(netns, command, args)))
        return { nftables: nft!.stdout.match(/table ip6? wherry$/gm) ?? [], iptables: saved.map(({ stdout }) => stdout.includes('WHERRY')) }
      }
      const ours = ['table ip wherry', 'table ip6 wherry']
      expect(await rules()).toEqual({ nftables: ours, iptables: [true, true] })
      await removeRules(options, signal, 'nftables')
      expect(await rules()).toEqual({ nftables: ours, iptables: [false, false] })
      await removeRules(options, signal)
      expect(await rules()).toEqual({ nftables: [], iptables: [false, false] })
      await removeRules(options, signal)
    }))
})

/** What other hands do to our table, and what a changed configuration asks for, is mended in one transaction that the kernel takes. */
import { describe, expect, test } from 'vitest'
import { createFakeKernel } from '../../agent/kernel/fake/nft.ts'
import type { Kernel } from '../../agent/kernel/kernel.ts'
import { openNftKernel } from '../../agent/kernel/nft/nft.ts'
import { silentLog } from '../../api/log.ts'
import type { NodeView, ServiceView } from '../../rules/model.ts'
import { adopt, commit, outcomes, plan, type Accepted, type Listing, type Transaction } from '../../rules/nft/index.ts'
import type { Operation } from '../../rules/nft/model.ts'
import { describeAsRoot, inNamespace, netnsLab } from '../kit/netns.ts'
import { endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../kit/views.ts'

const signal = (): AbortSignal => AbortSignal.timeout(10_000)

const service = (n: number, count: number): ServiceView =>
  serviceView({
    key: `default/s${n}`,
    clusterIPs: [`10.96.0.${n}`],
    ports: [
      portView({
        nodePort: 30000 + n,
        endpoints: Array.from({ length: count }, (_, e) => endpointView(`10.244.${n}.${e + 1}`, { node: e === 0 ? 'here' : 'elsewhere' })),
      }),
    ],
  })
const viewOf = (pods: readonly string[], ...services: ServiceView[]): NodeView =>
  nodeView(services, nodeConfigOf({ pods: pods.length > 0 ? { kind: 'cidrs', cidrs: pods } : { kind: 'none' } }))

type NftKernel = Kernel<Listing, Transaction>

async function pass(kernel: NftKernel, accepted: Accepted, view: NodeView): Promise<Accepted> {
  const planned = plan(accepted, view, 'all')
  if (planned.transaction) await kernel.apply(planned.transaction, signal())
  return commit(accepted, planned)
}
const reread = async (kernel: NftKernel): Promise<Accepted> => adopt('ip', await kernel.read(signal()))

async function targets(kernel: NftKernel, n: number, source = '10.244.9.9') {
  const packet = { hook: 'prerouting', protocol: 'tcp', source, sourcePort: 40000, destination: `10.96.0.${n}`, destinationPort: 80 } as const
  return outcomes((await kernel.read(signal()))!, { addresses: [] }, packet).map((j) => `${j.fate.kind === 'translated' ? j.fate.address : j.fate.kind}${j.masqueraded ? ' masqueraded' : ''}`)
}

function repairs(open: <T>(use: (kernel: NftKernel) => Promise<T>) => Promise<T>): void {
  const view = viewOf(['10.244.0.0/16'], service(1, 2), service(2, 2), service(3, 1))

  test.each<[string, readonly Operation[]]>([
    ['adds a rule of its own', [{ kind: 'add-rule', chain: 'endpoints', rule: 'meta mark set meta mark | 0x00000001' }]],
    ['adds a chain of its own', [{ kind: 'add-chain', chain: 'theirs' }]],
    ['adds an address', [{ kind: 'add-elements', set: 'cluster-ips', elements: [{ key: '10.96.0.77' }] }]],
    ['deletes an endpoint', [{ kind: 'delete-elements', set: 'endpoints-2', keys: ['10.96.0.1 . tcp . 80 . 1'] }]],
    ['deletes the table', [{ kind: 'delete-table' }]],
  ])('when somebody %s', (_what, operations) =>
    open(async (kernel) => {
      await pass(kernel, adopt('ip', undefined), view)
      await kernel.apply({ family: 'ip', operations }, signal())
      const accepted = await pass(kernel, await reread(kernel), view)
      expect(await targets(kernel, 1)).toEqual(['10.244.1.1', '10.244.1.2'])
      expect(await targets(kernel, 2)).toEqual(['10.244.2.1', '10.244.2.2'])
      expect(plan(accepted, view, 'all').transaction).toBeUndefined()
      expect(plan(await reread(kernel), view, 'all').transaction, 'and the kernel agrees').toBeUndefined()
    }),
  )

  test('but an empty map that an earlier agent left is left alone', () =>
    open(async (kernel) => {
      const accepted = await pass(kernel, adopt('ip', undefined), view)
      const less = viewOf(['10.244.0.0/16'], service(1, 1), service(2, 1), service(3, 1))
      const planned = plan(accepted, less, new Set(['default/s1', 'default/s2']))
      await kernel.apply(planned.transaction!, signal())
      expect((await kernel.read(signal()))!.elements.get('endpoints-2')?.size).toBe(0)
      expect(plan(await reread(kernel), less, 'all').transaction).toBeUndefined()
      await pass(kernel, await reread(kernel), view)
      expect(await targets(kernel, 2), 'and taken into use again').toEqual(['10.244.2.1', '10.244.2.2'])
    }))

  test('when the cluster range comes and goes, from memory', () =>
    open(async (kernel) => {
      const services = [service(1, 2), service(2, 2), service(3, 1)]
      let accepted = await pass(kernel, adopt('ip', undefined), viewOf([], ...services))
      expect(await targets(kernel, 1, '192.0.2.1')).toEqual(['10.244.1.1', '10.244.1.2'])
      accepted = await pass(kernel, accepted, viewOf(['10.244.0.0/16'], ...services))
      expect(await targets(kernel, 1, '192.0.2.1')).toEqual(['10.244.1.1 masqueraded', '10.244.1.2 masqueraded'])
      expect(await targets(kernel, 3)).toEqual(['10.244.3.1'])
      await pass(kernel, accepted, viewOf([], ...services))
      expect(await targets(kernel, 1, '192.0.2.1')).toEqual(['10.244.1.1', '10.244.1.2'])
      expect(plan(await reread(kernel), viewOf([], ...services), 'all').transaction).toBeUndefined()
    }))
}

describe('the table is mended, in memory', () => {
  repairs((use) => use(createFakeKernel({ family: 'ip' })))
})

describeAsRoot('the table is mended, in the kernel', () => {
  const lab = netnsLab()
  repairs(async (use) => {
    const netns = await lab.create()
    return inNamespace(netns, async () => {
      const kernel = await openNftKernel({ prefer: 'auto', family: 'ip', exec: netns.exec, log: silentLog }, signal())
      try {
        return await use(kernel)
      } finally {
        kernel.close()
      }
    })
  })
})

/** What other hands do to our table, and what a changed configuration asks for, is mended in one transaction that the kernel takes. */
import { describe, expect, test } from 'vitest'
import { createFakeKernel } from '../../agent/kernel/fake/nft.ts'
import type { Kernel } from '../../agent/kernel/kernel.ts'
import { openNftKernel } from '../../agent/kernel/nft.ts'
import { silentLog } from '../../api/log.ts'
import { adopt, commit, outcomes, plan, type Accepted } from '../../rules/index.ts'
import type { NodeView, Operation, ServiceView } from '../../rules/model.ts'
import { describeAsRoot, inNamespace, netnsLab } from '../kit/netns.ts'

const signal = (): AbortSignal => AbortSignal.timeout(10_000)

const service = (n: number, count: number): ServiceView => ({
  key: `default/s${n}`,
  created: '2026-01-01T00:00:00Z',
  clusterIPs: [`10.96.0.${n}`],
  ports: [
    {
      name: 'http',
      protocol: 'tcp',
      port: 80,
      nodePort: 30000 + n,
      endpoints: Array.from({ length: count }, (_, e) => ({ address: `10.244.${n}.${e + 1}`, port: 8080, local: e === 0, ready: true, serving: true, terminating: false })),
    },
  ],
})
const viewOf = (clusterCIDRs: readonly string[], ...services: ServiceView[]): NodeView => ({
  config: { clusterCIDRs, nodePortAddresses: ['198.18.0.11'] },
  services: new Map(services.map((s) => [s.key, s])),
})

async function pass(kernel: Kernel, accepted: Accepted, view: NodeView): Promise<Accepted> {
  const planned = plan(accepted, view, 'all')
  if (planned.transaction) await kernel.apply(planned.transaction, signal())
  return commit(accepted, planned)
}
const reread = async (kernel: Kernel): Promise<Accepted> => adopt('ip', await kernel.read(signal()))

async function targets(kernel: Kernel, n: number, source = '10.244.9.9') {
  const packet = { hook: 'prerouting', protocol: 'tcp', source, sourcePort: 40000, destination: `10.96.0.${n}`, destinationPort: 80 } as const
  return outcomes((await kernel.read(signal()))!, packet).map((j) => `${j.fate.kind === 'translated' ? j.fate.address : j.fate.kind}${j.masqueraded ? ' masqueraded' : ''}`)
}

function repairs(open: <T>(use: (kernel: Kernel) => Promise<T>) => Promise<T>): void {
  const view = viewOf(['10.244.0.0/16'], service(1, 2), service(2, 2), service(3, 1))

  test.each<[string, readonly Operation[]]>([
    ['flushes the chain of a count', [{ kind: 'flush-chain', chain: 'endpoints-2' }]],
    ['flushes a base chain', [{ kind: 'flush-chain', chain: 'nat-prerouting' }]],
    ['adds a rule of its own', [{ kind: 'add-rule', chain: 'endpoints-2', rule: { text: 'meta mark set meta mark | 0x00000001' } }]],
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

  test('but a count that an earlier agent left unused is left alone', () =>
    open(async (kernel) => {
      const accepted = await pass(kernel, adopt('ip', undefined), view)
      const less = viewOf(['10.244.0.0/16'], service(1, 1), service(2, 1), service(3, 1))
      const planned = plan(accepted, less, new Set(['default/s1', 'default/s2']))
      await kernel.apply(planned.transaction!, signal())
      expect((await kernel.read(signal()))!.chains.has('endpoints-2')).toBe(true)
      expect(plan(await reread(kernel), less, 'all').transaction).toBeUndefined()
      await pass(kernel, await pass(kernel, await reread(kernel), less), view)
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

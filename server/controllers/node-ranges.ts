/** Gives every Node (core/v1) its pod range: the lowest free /24 of the cluster's (Node `spec.podCIDR`, `spec.podCIDRs`). */
import ipaddr from 'ipaddr.js'
import type { Node } from '../../api/objects.ts'
import { createController, type Controller, type ControllerDeps } from './controller.ts'
import { recordEvent } from './event.ts'

const nodeMaskBits = 24

export function createNodeRangeController(deps: ControllerDeps & { readonly clusterCIDR: string }): Controller {
  const { store, registry, clusterCIDR } = deps
  return createController(deps, {
    name: 'node-ranges',
    resources: ['nodes'],
    keys: ({ object }) => [object.metadata.name],
    // One at a time: two nodes must not be given the same range.
    width: 1,
    async reconcile(name) {
      const ref = { resource: 'nodes', namespace: '', name } as const
      const node = store.get(ref) as Node | undefined
      if (!node || node.spec?.podCIDR) return undefined
      const taken = new Set((store.list('nodes') as Node[]).map((n) => n.spec?.podCIDR))
      const free = ranges(clusterCIDR).find((range) => !taken.has(range))
      if (!free) {
        await recordEvent(deps, node as never, {
          type: 'Warning',
          reason: 'CIDRNotAvailable',
          message: `No /${nodeMaskBits} is left in ${clusterCIDR} for the pods of this node; start the hub with a larger --cluster-cidr`,
          source: 'node-ranges-controller',
        })
        return 60_000
      }
      await registry.update(ref, (c) => ({ ...c, spec: { ...(c.spec as object), podCIDR: free, podCIDRs: [free] } }))
      return undefined
    },
  })
}

/** Every /24 of an IPv4 range but the first, whose .0 network people take for the cluster's own. */
export function ranges(cidr: string): readonly string[] {
  const [base, bits] = ipaddr.IPv4.parseCIDR(cidr)
  const start = base.toByteArray().reduce((n, b) => n * 256 + b, 0)
  const count = 2 ** Math.max(0, nodeMaskBits - bits)
  return Array.from({ length: count }, (_, i) => text(start + i * 256)).slice(count > 1 ? 1 : 0)
}

const text = (n: number): string => `${(n >>> 24) & 255}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.0/${nodeMaskBits}`

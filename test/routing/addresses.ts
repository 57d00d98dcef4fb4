/** Who has which address on the stages, in both families. */
import type { Family, NodeConfig } from '../../rules/model.ts'
import type { Addresses } from './stage.ts'

interface Plan {
  readonly pod: (node: 1 | 2, host: number) => string
  readonly host: (number: number) => string
  readonly vip: (n: number) => string
  readonly external: (n: number) => string
  readonly loadBalancer: (n: number) => string
  readonly client: (n: number) => string
  readonly loopback: string
  readonly pods: string
  readonly podsOf: (node: 1 | 2) => string
  readonly ranges: Addresses['ranges']
}

export const plans: Readonly<Record<Family, Plan>> = {
  ip: {
    pod: (node, host) => `10.244.${node}.${host}`,
    host: (number) => `198.18.0.${number}`,
    vip: (n) => `10.96.${n >> 8}.${n & 255}`,
    external: (n) => `192.0.2.${n}`,
    loadBalancer: (n) => `203.0.113.${n}`,
    client: (n) => `198.18.${4 + (n >> 8)}.${n & 255}`,
    loopback: '127.0.0.1',
    pods: '10.244.0.0/16',
    podsOf: (node) => `10.244.${node}.0/24`,
    ranges: { localPods: '10.244.1.0/24', nobody: '100.64.0.0/16', outside: '198.18.0.100/32', clients: '198.18.4.0/22', everyone: '0.0.0.0/0' },
  },
  ip6: {
    pod: (node, host) => `fd00:244:${node}::${host}`,
    host: (number) => `2001:db8::${number}`,
    vip: (n) => `fd00:10:96::${n.toString(16)}`,
    external: (n) => `2001:db8:2::${n.toString(16)}`,
    loadBalancer: (n) => `2001:db8:113::${n.toString(16)}`,
    client: (n) => `2001:db8:4::${n.toString(16)}`,
    loopback: '::1',
    pods: 'fd00:244::/32',
    podsOf: (node) => `fd00:244:${node}::/64`,
    ranges: { localPods: 'fd00:244:1::/64', nobody: '2001:db8:64::/64', outside: '2001:db8::100/128', clients: '2001:db8:4::/64', everyone: '::/0' },
  },
}

export const hostNumbers = { node1: 11, node2: 12, outside: 100 } as const
export const podNumbers = { b1: 11, b2: 12, pod: 20, b3: 13, b4: 14, 'remote-pod': 20 } as const
export const gatewayNumber = 1

/** Addresses of one stage; what is asked for fresh counts up from 1. */
export function addressesOf(family: Family): Addresses {
  const plan = plans[family]
  let [vips, externals, balancers, nodePorts] = [0, 0, 0, 30_000]
  const [own, outside] = [plan.host(hostNumbers.node1), plan.host(hostNumbers.outside)]
  return {
    backends: { b1: plan.pod(1, 11), b2: plan.pod(1, 12), b3: plan.pod(2, 13), b4: plan.pod(2, 14), host: own, stranger: outside },
    places: { node: own, pod: plan.pod(1, 20), 'remote-pod': plan.pod(2, 20), outside },
    remoteNode: plan.host(hostNumbers.node2),
    loopback: plan.loopback,
    ranges: plan.ranges,
    client: plan.client,
    vip: () => plan.vip(++vips),
    externalIP: () => plan.external(++externals),
    loadBalancerIP: () => plan.loadBalancer(++balancers),
    nodePort: () => ++nodePorts,
  }
}

/** Pods by the cluster's range, NodePorts on the node's address. */
export function configOf(family: Family, part: Partial<NodeConfig> = {}): NodeConfig {
  const plan = plans[family]
  const own = plan.host(hostNumbers.node1)
  return {
    pods: { kind: 'cidrs', cidrs: [plan.pods] },
    masqueradeAll: false,
    masqueradeBit: 14,
    nodePortAddresses: [own],
    localhostNodePorts: false,
    nodeAddresses: [own],
    dropInvalid: true,
    ...part,
  }
}

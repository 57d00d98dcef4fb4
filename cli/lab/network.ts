/** From what the kernel has to what the plan wants: a list of steps. Pure; `namespaces.ts` looks and acts. */
import { type HostPlan, inside, type LabPlan, lanLength, namespacesOf } from './plan.ts'

/** What was found. A namespace that is not listed does not exist. */
export interface NetworkState {
  readonly namespaces: ReadonlyMap<string, NamespaceState>
}

export interface NamespaceState {
  readonly links: ReadonlyMap<string, LinkState>
  /** Gateway and preferred source of the default route, if there is one. */
  readonly defaultRoute?: { readonly via: string; readonly source: string }
  /** Values of the sysctls that the plan cares for. */
  readonly sysctls: Readonly<Record<string, string>>
}

export interface LinkState {
  readonly up: boolean
  /** `ADDRESS/LENGTH` */
  readonly addresses: readonly string[]
  readonly master?: string
}

/** One command, and the reason that a person may read. */
export interface NetworkStep {
  readonly why: string
  readonly argv: readonly string[]
}

const switchSysctls = { 'net.ipv4.ip_forward': '0', 'net.ipv6.conf.all.forwarding': '0' } as const
const nodeSysctls = {
  'net.ipv4.ip_forward': '1',
  // Pods have routed links of their own: a reply may leave by another link than the request came in by.
  'net.ipv4.conf.all.rp_filter': '0',
  'net.ipv4.conf.default.rp_filter': '0',
  'net.ipv4.conf.eth0.rp_filter': '0',
} as const
const hubSysctls = { 'net.ipv4.ip_forward': '0' } as const

/** Every sysctl that some namespace of a lab sets, for the observer. */
export const watchedSysctls: readonly string[] = Object.keys({ ...switchSysctls, ...nodeSysctls, ...hubSysctls })

/** The steps, in order. Empty where everything is as it should be. */
export function planNetwork(plan: LabPlan, found: NetworkState): readonly NetworkStep[] {
  return [
    ...namespacesOf(plan)
      .filter((name) => !found.namespaces.has(name))
      .map((name): NetworkStep => ({ why: `namespace ${name}`, argv: ['ip', 'netns', 'add', name] })),
    ...switchSteps(plan, found),
    ...hostSteps(plan, plan.hub, found, hubSysctls),
    ...plan.nodes.flatMap((node) => hostSteps(plan, node, found, nodeSysctls)),
  ]
}

/** The steps that take every found namespace of the lab away; links go with them. */
export function planRemoval(namespaces: readonly string[]): readonly NetworkStep[] {
  return namespaces.map((name) => ({ why: `namespace ${name}`, argv: ['ip', 'netns', 'del', name] }))
}

function switchSteps(plan: LabPlan, found: NetworkState): readonly NetworkStep[] {
  const { namespace, bridge, address } = plan.switch
  const state = found.namespaces.get(namespace)
  const link = state?.links.get(bridge)
  const make: NetworkStep = { why: `bridge ${bridge}`, argv: ip(namespace, 'link', 'add', bridge, 'type', 'bridge') }
  return [
    ...loopback(namespace, state),
    ...sysctlSteps(namespace, switchSysctls, state),
    ...(link ? [] : [make]),
    ...addressSteps(namespace, bridge, address, link),
    ...upSteps(namespace, bridge, link),
  ]
}

function hostSteps(
  plan: LabPlan,
  host: HostPlan,
  found: NetworkState,
  sysctls: Readonly<Record<string, string>>,
): readonly NetworkStep[] {
  const state = found.namespaces.get(host.namespace)
  const port = found.namespaces.get(plan.switch.namespace)?.links.get(host.switchPort)
  const wired = state?.links.has('eth0') === true && port !== undefined
  const eth0 = wired ? state?.links.get('eth0') : undefined
  const master = wired ? port.master : undefined
  return [
    ...loopback(host.namespace, state),
    ...(wired ? [] : cableSteps(plan, host, { port: port !== undefined, eth0: state?.links.has('eth0') === true })),
    ...(master === plan.switch.bridge ? [] : [enslave(plan, host)]),
    ...upSteps(plan.switch.namespace, host.switchPort, wired ? port : undefined),
    ...addressSteps(host.namespace, 'eth0', host.address, eth0),
    ...upSteps(host.namespace, 'eth0', eth0),
    // After the link: eth0's own sysctl is there only then.
    ...sysctlSteps(host.namespace, sysctls, wired ? state : undefined),
    ...routeSteps(plan, host, wired ? state : undefined),
  ]
}

/** One end alone is a left-over of a namespace that somebody deleted while its processes kept it alive: it goes first. */
function cableSteps(
  plan: LabPlan,
  host: HostPlan,
  ends: { readonly port: boolean; readonly eth0: boolean },
): readonly NetworkStep[] {
  const { namespace } = plan.switch
  const leftover = `left-over link of ${host.namespace}`
  const create = ip(namespace, 'link', 'add', host.switchPort, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.namespace)
  return [
    ...(ends.port ? [{ why: leftover, argv: ip(namespace, 'link', 'del', host.switchPort) }] : []),
    ...(ends.eth0 ? [{ why: leftover, argv: ip(host.namespace, 'link', 'del', 'eth0') }] : []),
    { why: `link of ${host.namespace} to the switch`, argv: create },
  ]
}

function enslave(plan: LabPlan, host: HostPlan): NetworkStep {
  const { namespace, bridge } = plan.switch
  return { why: `${host.switchPort} on the bridge`, argv: ip(namespace, 'link', 'set', host.switchPort, 'master', bridge) }
}

function loopback(namespace: string, state: NamespaceState | undefined): readonly NetworkStep[] {
  return upSteps(namespace, 'lo', state?.links.get('lo'))
}

function upSteps(namespace: string, link: string, state: LinkState | undefined): readonly NetworkStep[] {
  return state?.up ? [] : [{ why: `${link} of ${namespace} up`, argv: ip(namespace, 'link', 'set', link, 'up') }]
}

function addressSteps(namespace: string, link: string, address: string, state: LinkState | undefined): readonly NetworkStep[] {
  const cidr = `${address}/${lanLength}`
  if (state?.addresses.includes(cidr)) return []
  return [{ why: `${cidr} on ${link} of ${namespace}`, argv: ip(namespace, 'address', 'add', cidr, 'dev', link) }]
}

/** The way out leads to the switch, which forwards nothing; it is there so that a node's own packets have a source address. */
function routeSteps(plan: LabPlan, host: HostPlan, state: NamespaceState | undefined): readonly NetworkStep[] {
  const via = plan.switch.address
  if (state?.defaultRoute?.via === via && state.defaultRoute.source === host.address) return []
  const argv = ip(host.namespace, 'route', 'replace', 'default', 'via', via, 'dev', 'eth0', 'src', host.address)
  return [{ why: `default route of ${host.namespace}`, argv }]
}

function sysctlSteps(
  namespace: string,
  wanted: Readonly<Record<string, string>>,
  state: NamespaceState | undefined,
): readonly NetworkStep[] {
  const wrong = Object.entries(wanted).filter(([key, value]) => state?.sysctls[key] !== value)
  if (wrong.length === 0) return []
  const argv = inside(namespace, ['busybox', 'sysctl', '-w', ...wrong.map(([key, value]) => `${key}=${value}`)])
  return [{ why: `kernel settings of ${namespace}`, argv }]
}

function ip(namespace: string, ...argv: readonly string[]): readonly string[] {
  return ['ip', '-n', namespace, ...argv]
}

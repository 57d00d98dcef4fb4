/** Looks at the kernel's network namespaces and carries out the steps of `network.ts`. */
import { readdirSync } from 'node:fs'
import type { Exec } from '../exec.ts'
import {
  type LinkState,
  type NamespaceState,
  type NetworkState,
  type NetworkStep,
  planNetwork,
  watchedSysctls,
} from './network.ts'
import { inside, isOurNamespace, type LabPlan, namespacesOf } from './plan.ts'

const commandMs = 10_000

/** Names under /run/netns. */
export function listNamespaces(): readonly string[] {
  try {
    return readdirSync('/run/netns').toSorted()
  } catch {
    return []
  }
}

/** Every namespace of the lab, those of its pods included. */
export function labNamespaces(plan: LabPlan): readonly string[] {
  return listNamespaces().filter((name) => isOurNamespace(plan, name))
}

/** What the lab's namespaces look like now. */
export async function observeNetwork(plan: LabPlan, exec: Exec, signal: AbortSignal): Promise<NetworkState> {
  const there = new Set(listNamespaces())
  const names = namespacesOf(plan).filter((name) => there.has(name))
  const states = await Promise.all(names.map((name) => observe(name, exec, signal)))
  return { namespaces: new Map(names.map((name, i) => [name, states[i]!])) }
}

/** Builds what is missing. @returns how many steps were taken */
export async function buildNetwork(plan: LabPlan, exec: Exec, signal: AbortSignal): Promise<number> {
  const steps = planNetwork(plan, await observeNetwork(plan, exec, signal))
  await takeSteps(steps, exec, signal)
  return steps.length
}

export async function takeSteps(steps: readonly NetworkStep[], exec: Exec, signal: AbortSignal): Promise<void> {
  for (const step of steps) await exec.run(step.argv, { signal, timeoutMs: commandMs })
}

interface IpLink {
  readonly ifname: string
  readonly flags: readonly string[]
  readonly master?: string
  readonly addr_info?: readonly { readonly family: string; readonly local: string; readonly prefixlen: number }[]
}
interface IpRoute {
  readonly gateway?: string
  readonly prefsrc?: string
}

async function observe(namespace: string, exec: Exec, signal: AbortSignal): Promise<NamespaceState> {
  const options = { signal, timeoutMs: commandMs }
  const [links, routes, sysctls] = await Promise.all([
    exec.run(['ip', '-json', '-n', namespace, 'address', 'show'], options),
    exec.run(['ip', '-json', '-n', namespace, 'route', 'show', 'default'], options),
    exec.tryRun(inside(namespace, ['busybox', 'sysctl', ...watchedSysctls]), options),
  ])
  return parseNamespace(links.stdout, routes.stdout, sysctls.stdout)
}

/** From the words of `ip -json address`, `ip -json route show default` and `sysctl`. */
export function parseNamespace(links: string, routes: string, sysctls: string): NamespaceState {
  const route = (JSON.parse(routes || '[]') as readonly IpRoute[])[0]
  return {
    links: new Map((JSON.parse(links || '[]') as readonly IpLink[]).map((link) => [link.ifname, linkState(link)])),
    ...(route?.gateway && route.prefsrc && { defaultRoute: { via: route.gateway, source: route.prefsrc } }),
    sysctls: Object.fromEntries(
      sysctls
        .split('\n')
        .map((line) => line.split(' = '))
        .filter((pair): pair is [string, string] => pair.length === 2),
    ),
  }
}

function linkState(link: IpLink): LinkState {
  return {
    up: link.flags.includes('UP'),
    addresses: (link.addr_info ?? []).filter((a) => a.family === 'inet').map((a) => `${a.local}/${a.prefixlen}`),
    ...(link.master && { master: link.master }),
  }
}

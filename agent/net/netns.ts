/** Named network namespaces (ip-netns(8)), one for each pod that has a network of its own. */
import { readJson, type Ip } from './ip.ts'

export interface Namespaces {
  /** Makes an empty namespace with its loopback up; what was there by that name goes first. @throws NetError KERNEL_REFUSED */
  make(name: string, signal: AbortSignal): Promise<void>
  /** No error if there is none. @throws NetError KERNEL_REFUSED */
  remove(name: string, signal: AbortSignal): Promise<void>
  list(signal: AbortSignal): Promise<readonly string[]>
}

/** Where `ip netns` keeps a namespace. */
export const netnsPath = (name: string): string => `/run/netns/${name}`

/** The prefix, e.g. `wherry-<node>-`, and the first 12 hex digits of the pod's uid. */
export function netnsName(prefix: string, uid: string): string {
  return prefix + uid.replaceAll('-', '').slice(0, 12)
}

export function createNamespaces(ip: Ip): Namespaces {
  const list: Namespaces['list'] = async (signal) =>
    readJson<{ name: string }>(await ip(['-json', 'netns', 'list'], signal)).map((n) => n.name)

  const remove: Namespaces['remove'] = async (name, signal) => {
    if ((await list(signal)).includes(name)) await ip(['netns', 'delete', name], signal)
  }

  return {
    list,
    remove,
    async make(name, signal) {
      await remove(name, signal)
      await ip(['netns', 'add', name], signal)
      await ip(['-netns', name, 'link', 'set', 'lo', 'up'], signal)
    },
  }
}

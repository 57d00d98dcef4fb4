/**
 * Two pods as a node has them: each in a network namespace of its own, behind a veth pair and the node's routing. One asks; the
 * other has every pod address, and answers. Both run on one processor: whether another one has to be woken costs more than any rule.
 */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { inNamespace } from '../../kit/netns.ts'
import type { Member } from './member.ts'
import { openAnnex, type Namespace } from './namespace.ts'

export interface Pods {
  /** Where the asking pod's connections come from. */
  readonly client: string
  /** Runs a function with this process inside the asking pod. */
  inside<T>(run: () => T): Promise<T>
  /** Ends both; the node itself has every pod address again. */
  close(): Promise<void>
}

const client = '10.244.251.7'
const processor = cpus().length - 1
/** Of the rule that is written by hand. */
const table = 'by-hand'

/** Another address of a pod, which one rule of NAT translates for all of them: in a table of its own, beside all others. */
export const aliasOf = (pod: string): string => pod.replace('10.244.', '198.19.')
const podRange = '10.244.0.0/16'

const ip = (...args: readonly string[]): void => void execFileSync('ip', args)

/** @param answer starts what answers in a namespace, and resolves when it listens */
export async function openPods(node: Namespace, answer: (inside: Namespace) => Promise<Member>): Promise<Pods> {
  const [asking, answering] = [openAnnex(node, 'asking'), openAnnex(node, 'answering')]
  cable(node, asking, 1)
  ip('-n', asking.name, 'addr', 'add', `${client}/32`, 'dev', 'eth0')
  ip('-n', node.name, 'route', 'add', client, 'via', '198.18.1.2', 'dev', 'pod1', 'onlink')
  cable(node, answering, 2)
  ip('-n', answering.name, 'route', 'add', 'local', podRange, 'dev', 'lo')
  ip('-n', answering.name, 'route', 'add', client, 'via', '198.18.2.1', 'dev', 'eth0', 'onlink', 'table', 'local')
  ip('-n', node.name, 'route', 'del', 'local', podRange, 'dev', 'lo')
  ip('-n', node.name, 'route', 'add', podRange, 'via', '198.18.2.2', 'dev', 'pod2', 'onlink')
  const member = await answer(answering)
  pin(member.pid, `${processor}`)
  nft(node, `table ip ${table} {
    chain prerouting { type nat hook prerouting priority dstnat; dnat ip prefix to ip daddr map { 198.19.0.0/16 : ${podRange} }; }
  }`)
  return {
    client,
    async inside(run) {
      pin(process.pid, `${processor}`)
      try {
        return await inNamespace(asking, run)
      } finally {
        pin(process.pid, `0-${cpus().length - 1}`)
      }
    },
    async close() {
      await member.kill()
      nft(node, `delete table ip ${table}`)
      // Its interface, and so the routes over it, go with a namespace.
      for (const annex of [asking, answering]) annex.remove()
      ip('-n', node.name, 'route', 'add', 'local', podRange, 'dev', 'lo')
    },
  }
}

/** @param processors as taskset(1) lists them */
const pin = (pid: number, processors: string): void => void execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', processors, `${pid}`])

const nft = (node: Namespace, text: string): void => ip('netns', 'exec', node.name, 'nft', text)

/** 198.18.N.1 is the node's end, which the pod sends everything to, and 198.18.N.2 the pod's. */
function cable(node: Namespace, pod: Namespace, n: number): void {
  ip('link', 'add', `pod${n}`, 'netns', node.name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod.name)
  ip('-n', node.name, 'addr', 'add', `198.18.${n}.1/32`, 'dev', `pod${n}`)
  ip('-n', node.name, 'link', 'set', `pod${n}`, 'up')
  ip('-n', pod.name, 'addr', 'add', `198.18.${n}.2/32`, 'dev', 'eth0')
  ip('-n', pod.name, 'link', 'set', 'eth0', 'up')
  ip('-n', pod.name, 'route', 'add', 'default', 'via', `198.18.${n}.1`, 'dev', 'eth0', 'onlink')
}

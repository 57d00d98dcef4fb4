/** The three modes, each on the machines' own kernels, changed the way that a user does it. */
import type { Check } from '../check.ts'
import type { Cluster } from '../cluster.ts'
import { must } from '../error.ts'
import type { Machine } from '../ssh.ts'
import type { ServiceObject } from '../workloads.ts'
import { allReady } from './nodes.ts'
import { questions } from './services.ts'

type Mode = 'nftables' | 'iptables' | 'ipvs'

/** How many lines of a mode's own tool name the virtual IP. */
const looks: Readonly<Record<Mode, string>> = {
  nftables: 'sudo nft list table ip wherry 2>/dev/null | grep -cF',
  iptables: 'sudo iptables-save 2>/dev/null | grep -v "^:" | grep -cF -e',
  ipvs: 'sudo ipvsadm -Ln 2>/dev/null | grep -cF',
}

const all = Object.keys(looks) as readonly Mode[]

async function change(cluster: Cluster, mode: Mode): Promise<string> {
  await cluster.vagrantWith({ WHERRY_MODE: mode }, 'provision')
  const ready = await allReady(cluster)
  const { spec } = await cluster.kubectlJson<ServiceObject>('get', 'service', 'probe')
  const count = async (of: Mode, machine: Machine): Promise<number> => Number((await cluster.trySsh(machine, `${looks[of]} '${spec.clusterIP}'`)).stdout.trim() || '0')
  const alone = (machine: Machine): Promise<object> =>
    cluster.until(`${machine.name} to serve by ${mode} alone`, 600, async () => {
      const found = await Promise.all(all.map(async (of) => ({ of, lines: await count(of, machine) })))
      const wrong = found.filter(({ of, lines }) => lines > 0 !== (of === mode))
      return wrong.length === 0 ? found : wrong.map(({ of, lines }) => `${of} names ${spec.clusterIP} ${lines} times`).join(', ')
    })
  await Promise.all(cluster.machines.map(alone))
  must(ready !== '', 'no node')
  return `vagrant provision; on ${cluster.machines.length} kernels`
}

const mode = (name: Mode): readonly Check[] => [
  { part: name, what: `${name}: the kernels have the services so, and in no other way`, run: (cluster) => change(cluster, name) },
  ...questions(name, `${name}: `),
]

export const modes: readonly Check[] = [...mode('iptables'), ...mode('ipvs'), ...mode('nftables').slice(0, 2)]

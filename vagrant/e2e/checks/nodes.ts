/** Three nodes that are what they say, and no other. */
import type { Cluster } from '../cluster.ts'
import type { Check } from '../check.ts'
import { must } from '../error.ts'
import type { Machine } from '../ssh.ts'
import { isReady, type NodeObject } from '../workloads.ts'

const nodesOf = async (cluster: Cluster): Promise<readonly NodeObject[]> =>
  (await cluster.kubectlJson<{ readonly items: readonly NodeObject[] }>('get', 'nodes')).items

export async function allReady(cluster: Cluster, seconds = 600): Promise<string> {
  const nodes = await cluster.until('every node to be ready', seconds, async () => {
    const found = await nodesOf(cluster)
    const missing = cluster.machines.filter((machine) => !found.some((node) => node.metadata.name === machine.name && isReady(node)))
    return missing.length === 0 ? found : `${missing.map((machine) => machine.name).join(', ')} not ready`
  })
  return nodes.map((node) => `${node.metadata.name} ${addressOf(node)}`).join(', ')
}

const addressOf = (node: NodeObject): string => node.status.addresses.filter((a) => a.type === 'InternalIP').map((a) => a.address).join(' ')

async function addresses(cluster: Cluster): Promise<string> {
  const said = await allReady(cluster)
  for (const node of await nodesOf(cluster)) {
    const machine = cluster.machines.find((m) => m.name === node.metadata.name)
    must(machine !== undefined && addressOf(node) === machine.address, `node ${node.metadata.name} has ${addressOf(node)}`)
  }
  return said
}

/** What kubectl says against what the machine's own kernel says. */
async function capacity(cluster: Cluster): Promise<string> {
  const told: string[] = []
  for (const node of await nodesOf(cluster)) {
    const machine = cluster.machines.find((m) => m.name === node.metadata.name)!
    const [cpus, kib, kernel] = (await cluster.ssh(machine, "nproc; awk '/^MemTotal/ { print $2 }' /proc/meminfo; uname -r")).trim().split('\n')
    const { cpu, memory } = node.status.capacity
    const bytes = bytesOf(memory ?? '')
    must(cpu === cpus, `node ${machine.name} says ${cpu} CPUs and has ${cpus}`)
    must(Math.abs(bytes - Number(kib) * 1024) < 1024 * 1024, `node ${machine.name} says ${memory} and has ${kib} KiB`)
    must(node.status.nodeInfo['kernelVersion'] === kernel, `node ${machine.name} says kernel ${node.status.nodeInfo['kernelVersion']} and has ${kernel}`)
    told.push(`${machine.name} ${cpu} CPU ${Math.round(bytes / 1048576)} MiB`)
  }
  return told.join(', ')
}

function bytesOf(quantity: string): number {
  const [, amount, unit] = /^(\d+)(Ki|Mi|Gi)?$/.exec(quantity) ?? []
  return Number(amount) * ({ Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 }[unit ?? ''] ?? 1)
}

async function measured(cluster: Cluster): Promise<string> {
  const text = await cluster.until('a measurement of every node', 120, async () => {
    const lines = (await cluster.kubectl('top', 'nodes', '--no-headers')).trim().split('\n').map((line) => line.split(/\s+/))
    const whole = cluster.machines.every(({ name }) => lines.some(([node, cpu, , memory]) => node === name && /^[1-9]\d*m$/.test(cpu ?? '') && /^[1-9]\d*Mi$/.test(memory ?? '')))
    return whole ? lines : 'kubectl top nodes lacks one'
  })
  return text.map(([name, cpu, , memory]) => `${name} ${cpu} ${memory}`).join(', ')
}

/** VirtualBox gives every machine 10.0.2.15 on the card that its default route goes by. So does this. */
async function sharedAddress(cluster: Cluster): Promise<string> {
  const file = '/etc/systemd/network/80-vagrant.network.d/nat.conf'
  const text = '[Network]\\nAddress=10.0.2.15/24\\n[Route]\\nGateway=10.0.2.2\\nPreferredSource=10.0.2.15\\n'
  const share = async (machine: Machine): Promise<void> => {
    await cluster.ssh(machine, `sudo mkdir -p $(dirname ${file}) && printf '${text}' | sudo tee ${file} >/dev/null && sudo networkctl reload && sudo networkctl reconfigure eth0`)
    await cluster.until(`the default route of ${machine.name}`, 120, async () => ((await cluster.ssh(machine, 'ip route get 198.51.100.1')).includes('src 10.0.2.15') ? {} : undefined))
    await cluster.ssh(machine, 'sudo systemctl restart wherry-agent')
  }
  await Promise.all(cluster.machines.map(share))
  return addresses(cluster)
}

/** Another node that says it is where this one is. It comes by a token, as every node may. */
async function twin(cluster: Cluster): Promise<string> {
  const machine = cluster.workers.at(-1)!
  const url = `https://${cluster.hub.address}:6443`
  const command = (await cluster.ssh(cluster.hub, 'sudo wherry token create --ttl 30m --print-join-command --kubeconfig /root/.kube/config')).trim()
  must(command.startsWith(`wherry join ${url} --token `), `wherry token create said: ${command}`)
  const node = '/opt/wherry/node_modules/node/bin/node --experimental-ffi --disable-warning=ExperimentalWarning'
  const agent = `timeout 500 ${node} /opt/wherry/agent/main.ts --credentials /tmp/twin --node twin --hub ${url} --state /tmp/twin-state`
  await cluster.ssh(machine, `sudo systemctl stop wherry-agent; sudo ${command} --node twin --credentials /tmp/twin >/dev/null`)
  try {
    const { stdout } = await cluster.trySsh(machine, `sudo ${agent} 2>&1 | grep -m1 'has the address'`)
    must(stdout.includes(`node twin has the address ${machine.address} of node ${machine.name}`), `the agent said: ${stdout || 'nothing of it'}`)
    const names = (await nodesOf(cluster)).map((n) => n.metadata.name)
    must(!names.includes('twin'), 'there is a node twin')
    return /node twin has the address \S+ of node \w+/.exec(stdout)?.[0] ?? ''
  } finally {
    await cluster.ssh(machine, 'sudo rm -rf /tmp/twin /tmp/twin-state; sudo systemctl start wherry-agent')
    await allReady(cluster)
  }
}

export const nodes: readonly Check[] = [
  { part: 'nodes', what: 'every node is Ready, at its address of the private network', run: addresses },
  { part: 'nodes', what: 'CPU, memory and kernel are those of the machines', run: capacity },
  { part: 'nodes', what: 'load is measured', run: measured },
  { part: 'nodes', what: 'an address that all machines share on their default route is never taken', run: sharedAddress },
  { part: 'nodes', what: 'a second node with the same address is refused, by name', run: twin },
]

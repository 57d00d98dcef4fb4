/** Machines that go away and come back, and what their users notice of it. */
import type { Check } from '../check.ts'
import type { Cluster } from '../cluster.ts'
import { must } from '../error.ts'
import type { Machine } from '../ssh.ts'
import { deployment, endpointsOf, podsOf, rolledOut, service, type ServiceObject } from '../workloads.ts'
import { allReady } from './nodes.ts'

const victimOf = (cluster: Cluster): Machine => cluster.workers.at(-1)!

/** Pods on workers only, and their service. */
async function deploySteady(cluster: Cluster): Promise<string> {
  await cluster.apply(deployment({ name: 'steady', replicas: cluster.workers.length + 1, on: cluster.workers, patience: 10 }), service('steady'))
  const pods = await rolledOut(cluster, 'steady', cluster.workers.length + 1)
  const count = (machine: Machine): number => pods.filter((pod) => pod.spec.nodeName === machine.name).length
  must(cluster.workers.every((worker) => count(worker) > 0), 'a worker has none of the pods')
  return cluster.workers.map((worker) => `${count(worker)} on ${worker.name}`).join(', ')
}

const traffic = {
  /** Each connection is a new one. */
  async start(cluster: Cluster, address: string): Promise<void> {
    const loop = `while :; do if curl -s -o /dev/null --max-time 10 http://${address}/; then echo ok; else echo failed $?; fi; done >/tmp/traffic`
    for (const worker of cluster.workers) await cluster.ssh(worker, `sudo systemd-run -q --unit wherry-traffic --collect sh -c '${loop}'`)
  },
  async stop(cluster: Cluster): Promise<readonly { readonly name: string; readonly good: number; readonly bad: number; readonly words: string }[]> {
    const told = []
    for (const worker of cluster.workers) {
      const text = await cluster.ssh(worker, 'sudo systemctl stop wherry-traffic; cat /tmp/traffic; sudo rm -f /tmp/traffic')
      // The stop may have cut the last one off.
      const lines = text.trim().split('\n').slice(0, -1)
      const bad = lines.filter((line) => line !== 'ok')
      told.push({ name: worker.name, good: lines.length - bad.length, bad: bad.length, words: [...new Set(bad)].join(', ') })
    }
    return told
  },
}

const bootOf = async (cluster: Cluster, machine: Machine): Promise<string> => (await cluster.ssh(machine, 'cat /proc/sys/kernel/random/boot_id')).trim()

async function awaitBoot(cluster: Cluster, machine: Machine, before: string): Promise<void> {
  await cluster.until(`${machine.name} to boot`, 900, async () => {
    const now = await cluster.trySsh(machine, 'cat /proc/sys/kernel/random/boot_id').catch(() => undefined)
    return now?.exitCode === 0 && now.stdout.trim() !== before ? now : 'it does not answer, or has not booted yet'
  })
}

async function hubReboot(cluster: Cluster): Promise<string> {
  const { spec } = await cluster.kubectlJson<ServiceObject>('get', 'service', 'steady')
  const before = await bootOf(cluster, cluster.hub)
  await traffic.start(cluster, spec.clusterIP)
  let told: Awaited<ReturnType<typeof traffic.stop>> = []
  try {
    await cluster.trySsh(cluster.hub, 'sudo systemctl reboot')
    await awaitBoot(cluster, cluster.hub, before)
    await allReady(cluster, 600)
  } finally {
    told = await traffic.stop(cluster)
  }
  must(told.every(({ bad, good }) => bad === 0 && good > 0), told.map(({ name, good, bad, words }) => `${name}: ${good} good, ${bad} failed (${words})`).join('; '))
  return told.map(({ name, good }) => `${name}: ${good} connections, none failed`).join('; ')
}

async function powerOff(cluster: Cluster): Promise<string> {
  const victim = victimOf(cluster)
  const before = await podsOf(cluster, 'steady')
  const lost = before.filter((pod) => pod.spec.nodeName === victim.name)
  must(lost.length > 0, `${victim.name} has none of the pods`)
  const begin = Date.now()
  const seconds = (): string => `${Math.round((Date.now() - begin) / 1000)} s`
  await cluster.pullCord(victim)
  await cluster.until('the endpoints of the lost node to go', 600, async () => {
    const left = (await endpointsOf(cluster, 'steady')).filter((address) => lost.some((pod) => pod.status.podIP === address))
    return left.length === 0 ? {} : `${left.join(', ')} still there`
  })
  const endpointsGone = seconds()
  const pods = await cluster.until('the pods to be replaced', 900, async () => {
    const now = (await podsOf(cluster, 'steady')).filter((pod) => pod.spec.nodeName !== victim.name)
    return now.length === before.length ? now : `${now.length} of ${before.length} are ready elsewhere`
  })
  must(pods.every((pod) => !lost.some((old) => old.metadata.name === pod.metadata.name)), 'a lost pod counts as ready')
  const { spec } = await cluster.kubectlJson<ServiceObject>('get', 'service', 'steady')
  for (const machine of cluster.machines.filter((m) => m !== victim)) {
    await cluster.ssh(machine, `for i in $(seq 12); do curl -fsS --max-time 20 -o /dev/null http://${spec.clusterIP}/ || exit 1; done`)
  }
  return `endpoints gone after ${endpointsGone}, ${lost.length} pods replaced after ${seconds()}`
}

async function powerOn(cluster: Cluster): Promise<string> {
  const victim = victimOf(cluster)
  await cluster.vagrant('up', victim.name, '--no-provision')
  await allReady(cluster, 600)
  await rolledOut(cluster, `probe-${victim.name}`, 1)
  const { spec } = await cluster.kubectlJson<ServiceObject>('get', 'service', 'steady')
  await cluster.ssh(victim, `for i in $(seq 12); do curl -fsS --max-time 20 -o /dev/null http://${spec.clusterIP}/ || exit 1; done`)
  return `${victim.name} is Ready, runs pods, and reaches the service`
}

async function clockJump(cluster: Cluster): Promise<string> {
  const worker = cluster.workers[0]!
  const { spec } = await cluster.kubectlJson<ServiceObject>('get', 'service', 'steady')
  for (const jump of ['+1 day', '-2 days', '+1 day']) {
    await cluster.ssh(worker, `sudo date -s '${jump}' >/dev/null`)
    await cluster.ssh(worker, `sleep 5; for i in $(seq 6); do curl -fsS --max-time 20 -o /dev/null http://${spec.clusterIP}/ || exit 1; done`)
    await cluster.ssh(worker, 'systemctl is-active wherry-agent')
    await allReady(cluster)
    await cluster.kubectl('scale', 'deployment/steady', `--replicas=${cluster.workers.length + 1 + (jump === '-2 days' ? 1 : 0)}`)
    await rolledOut(cluster, 'steady', cluster.workers.length + 1 + (jump === '-2 days' ? 1 : 0))
  }
  return `${worker.name}: a day on, two back, one on; Ready, serving, and taking changes`
}

async function suspend(cluster: Cluster): Promise<string> {
  const victim = victimOf(cluster)
  await cluster.vagrant('suspend', victim.name)
  await cluster.vagrant('resume', victim.name)
  await allReady(cluster, 600)
  const { spec } = await cluster.kubectlJson<ServiceObject>('get', 'service', 'steady')
  await cluster.ssh(victim, `for i in $(seq 6); do curl -fsS --max-time 20 -o /dev/null http://${spec.clusterIP}/ || exit 1; done`)
  return `${victim.name} is Ready again`
}

async function reload(cluster: Cluster): Promise<string> {
  const victim = victimOf(cluster)
  const before = await bootOf(cluster, victim)
  await cluster.vagrant('reload', victim.name)
  await awaitBoot(cluster, victim, before)
  await allReady(cluster, 600)
  await rolledOut(cluster, `probe-${victim.name}`, 1)
  return `${victim.name} is Ready again, and its pods run`
}

export const outages: readonly Check[] = [
  { part: 'outages', what: 'a service with pods on the workers', run: deploySteady },
  { part: 'outages', what: 'the hub reboots under traffic and no connection on the workers fails', run: hubReboot },
  { part: 'outages', what: 'a worker loses its power: endpoints go, pods are replaced, the service answers', run: powerOff },
  { part: 'outages', what: 'and comes back', run: powerOn },
  { part: 'outages', what: 'a clock that jumps does no harm', run: clockJump },
  { part: 'outages', what: 'vagrant suspend and resume', run: suspend },
  { part: 'outages', what: 'vagrant reload', run: reload },
]

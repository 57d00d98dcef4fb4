/** Services, from everywhere to everywhere. The same questions are asked in every mode. */
import type { Check } from '../check.ts'
import type { Cluster } from '../cluster.ts'
import { must } from '../error.ts'
import type { Machine } from '../ssh.ts'
import { answeredBy, deployment, isReady, podsOf, rolledOut, service, type PodObject, type ServiceObject } from '../workloads.ts'

/** The commands of the closing lines, as a newcomer would run them. */
async function tour(cluster: Cluster): Promise<string> {
  const text = (await cluster.vagrant('up', 'hub')).split('\n').map((line) => line.replace(/^==> hub: ?/, ''))
  const begin = text.findIndex((line) => line.startsWith('The cluster is up'))
  must(begin >= 0, 'vagrant up does not end with the tour')
  const commands = text.slice(begin).filter((line) => line.startsWith('  ')).map((line) => line.trim())
  must(commands.some((line) => line.startsWith('export KUBECONFIG=')) && commands.length >= 6, `the tour has ${commands.length} commands`)
  const said = await cluster.script(commands.join('\n'))
  const pods = await podsOf(cluster, 'web')
  const answers = said.split('\n').filter((line) => line.startsWith('pod='))
  must(answers.length === cluster.machines.length, `the tour showed ${answers.length} answers: ${said.slice(-500)}`)
  answeredBy(answers.join('\n'), pods)
  must(said.includes('default/web'), 'the tour shows no rules of default/web')
  must(said.includes('as the kernel of'), 'the tour does not explain default/web')
  return `${commands.length} commands, ${answers.length} answers, the rules of default/web`
}

/** The probe has one pod on every machine: it is asked, and it asks. */
export async function deployProbe(cluster: Cluster): Promise<string> {
  const on = cluster.machines
  await cluster.apply(...on.map((machine) => deployment({ name: `probe-${machine.name}`, replicas: 1, on: [machine], labels: { probe: 'yes' } })))
  for (const machine of on) await rolledOut(cluster, `probe-${machine.name}`, 1)
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'probe', namespace: 'default' },
    spec: { type: 'NodePort', selector: { probe: 'yes' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  })
  const pods = await probes(cluster)
  for (const machine of on) {
    const tasks = await cluster.ssh(machine, 'sudo ctr -n wherry tasks list')
    const running = tasks.split('\n').filter((line) => line.includes('RUNNING')).length
    must(running >= 1, `containerd of ${machine.name} runs nothing: ${tasks}`)
  }
  return pods.map((pod) => `${pod.metadata.name} ${pod.status.podIP}`).join(', ')
}

/** One ready pod on every machine. Where the processor is short, a node may not be heard in time, and is back a moment later. */
function probes(cluster: Cluster): Promise<readonly PodObject[]> {
  return cluster.until('a ready probe on every machine', 900, async () => {
    const { items } = await cluster.kubectlJson<{ readonly items: readonly PodObject[] }>('get', 'pods', '-l', 'probe=yes')
    const pods = items.filter(isReady)
    const missing = cluster.machines.filter(({ name }) => !pods.some((pod) => pod.spec.nodeName === name))
    return missing.length === 0 && pods.length === cluster.machines.length ? pods : `${pods.length} probes are ready`
  })
}

const probeService = (cluster: Cluster): Promise<ServiceObject> => cluster.kubectlJson<ServiceObject>('get', 'service', 'probe')

/** Enough questions that every one of three endpoints is all but sure to be met. */
const turns = 24

async function fromMachines(cluster: Cluster): Promise<string> {
  const [pods, { spec }] = [await probes(cluster), await probeService(cluster)]
  const ask = async (machine: Machine): Promise<string> => {
    const text = await cluster.ssh(machine, `for i in $(seq ${turns}); do curl -fsS --max-time 20 http://${spec.clusterIP}/ || exit 1; done`)
    const nodes = answeredBy(text, pods)
    must(nodes.size === cluster.machines.length, `${machine.name} met only ${[...nodes].join(', ')}`)
    return `${machine.name} met ${nodes.size} nodes`
  }
  return `${spec.clusterIP}: ${(await Promise.all(cluster.machines.map(ask))).join(', ')}`
}

async function fromPods(cluster: Cluster): Promise<string> {
  const [pods, { spec }] = [await probes(cluster), await probeService(cluster)]
  const ask = async (pod: PodObject): Promise<void> => {
    const command = `for i in $(seq ${turns}); do wget -q -O - http://${spec.clusterIP}/ || exit 1; done`
    const nodes = answeredBy(await inPod(cluster, pod, command), pods)
    must(nodes.size === cluster.machines.length, `${pod.metadata.name} met only ${[...nodes].join(', ')}`)
  }
  await Promise.all(pods.map(ask))
  return `${pods.length} pods, ${turns} questions each`
}

const inPod = (cluster: Cluster, pod: PodObject, command: string): Promise<string> => cluster.kubectl('exec', pod.metadata.name, '--', 'sh', '-c', command)

async function podToPod(cluster: Cluster): Promise<string> {
  const pods = await probes(cluster)
  for (const pod of pods) {
    const others = pods.filter((other) => other !== pod)
    const text = await inPod(cluster, pod, others.map((other) => `wget -q -O - http://${other.status.podIP}:8080/`).join(' && '))
    const lines = text.trim().split('\n')
    // The other sees the pod itself: nothing on the way has translated its address.
    must(lines.length === others.length && lines.every((line) => line.endsWith(`peer=${pod.status.podIP}`)), `${pod.metadata.name} heard: ${text}`)
  }
  return `${pods.length * (pods.length - 1)} pairs, each seen by its own address`
}

async function nodePorts(cluster: Cluster): Promise<string> {
  const [pods, { spec }] = [await probes(cluster), await probeService(cluster)]
  const port = spec.ports[0]!.nodePort!
  const urls = cluster.machines.map((to) => `http://${to.address}:${port}/`)
  for (const url of urls) answeredBy(await cluster.curl(url), pods)
  const all = (command: string): string => urls.map((url) => `${command} ${url}`).join(' && ')
  const texts = await Promise.all([
    ...cluster.machines.map((from) => cluster.ssh(from, all('curl -fsS --max-time 20'))),
    ...pods.map((pod) => inPod(cluster, pod, all('wget -q -O -'))),
  ])
  for (const text of texts) {
    answeredBy(text, pods)
    must(text.trim().split('\n').length === urls.length, `one of ${urls.join(', ')} did not answer: ${text}`)
  }
  return `port ${port} of ${cluster.machines.length} nodes, from this host, every machine and every pod`
}

async function names(cluster: Cluster): Promise<string> {
  const [pods, { spec }] = [await probes(cluster), await probeService(cluster)]
  const full = 'probe.default.svc.cluster.local'
  const fromPod = async (pod: PodObject): Promise<void> => {
    const known = ['probe', 'probe.default', full]
    const text = await inPod(cluster, pod, known.map((name) => `wget -q -O - http://${name}/`).join(' && '))
    answeredBy(text, pods)
    must(text.trim().split('\n').length === known.length, `${pod.metadata.name} heard: ${text}`)
  }
  const fromMachine = async (machine: Machine): Promise<void> => {
    const said = await cluster.ssh(machine, `busybox nslookup ${full} 169.254.20.10 || true`)
    must(said.includes(`Address: ${spec.clusterIP}`), `on ${machine.name} nslookup said: ${said}`)
    answeredBy(await cluster.ssh(machine, `curl -fsS --max-time 20 --resolve ${full}:80:${spec.clusterIP} http://${full}/`), pods)
  }
  await Promise.all([...pods.map(fromPod), ...cluster.machines.map(fromMachine)])
  return `probe, probe.default, ${full}: from ${pods.length} pods and ${cluster.machines.length} machines`
}

async function refused(cluster: Cluster): Promise<string> {
  await cluster.apply(service('nobody'))
  const { spec } = await cluster.kubectlJson<ServiceObject>('get', 'service', 'nobody')
  const refuses = (machine: Machine): Promise<object> =>
    cluster.until(`${machine.name} to refuse`, 120, async () => {
      const { exitCode } = await cluster.trySsh(machine, `curl -sS --max-time 10 -o /dev/null http://${spec.clusterIP}/`)
      // curl(1): 7 is a connection that was refused, 28 one that was not answered.
      return exitCode === 7 ? { exitCode } : `curl ended with ${exitCode}`
    })
  await Promise.all(cluster.machines.map(refuses))
  await cluster.kubectl('delete', 'service', 'nobody')
  return spec.clusterIP
}

/** On whatever kernel: every pod is named, with what the API says and what the rules do in accord. */
async function explained(cluster: Cluster): Promise<string> {
  const pods = await probes(cluster)
  for (const { name } of cluster.machines) {
    const text = await cluster.ssh(cluster.hub, `sudo wherry explain probe --node ${name} --kubeconfig /root/.kube/config`)
    const missing = pods.filter((pod) => !text.includes(pod.metadata.name))
    must(text.includes(`as the kernel of ${name} has it`) && missing.length === 0 && !text.includes('disagree'), `explained of ${name}: ${text}`)
  }
  return `${pods.length} pods in the kernels of ${cluster.machines.length} machines`
}

/** What is asked in every mode. @param part names the mode */
export const questions = (part: string, prefix = ''): readonly Check[] => [
  { part, what: `${prefix}ClusterIP from every machine meets the pods of every node`, run: fromMachines },
  { part, what: `${prefix}ClusterIP from every pod meets the pods of every node`, run: fromPods },
  { part, what: `${prefix}NodePort of every node from everywhere`, run: nodePorts },
  { part, what: `${prefix}names from every pod and every machine`, run: names },
  { part, what: `${prefix}a service without endpoints refuses at once`, run: refused },
  { part, what: `${prefix}what wherry explain says of every kernel names every pod`, run: explained },
]

export const services: readonly Check[] = [
  { part: 'services', what: 'the commands that vagrant up ends with do what they say', run: tour },
  { part: 'services', what: 'containerd runs a pod on every machine', run: deployProbe },
  { part: 'services', what: 'pods reach pods of other nodes', run: podToPod },
  ...questions('services'),
]

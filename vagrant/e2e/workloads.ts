/** What the run deploys, beside the demo: objects, and what is asked of them. */
import type { Cluster } from './cluster.ts'
import { must } from './error.ts'
import type { Machine } from './ssh.ts'

interface Named {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string; readonly labels?: Readonly<Record<string, string>> }
}

export interface PodObject extends Named {
  readonly spec: { readonly nodeName?: string }
  readonly status: { readonly podIP?: string; readonly phase?: string; readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

export interface NodeObject extends Named {
  readonly status: {
    readonly capacity: Readonly<Record<string, string>>
    readonly addresses: readonly { readonly type: string; readonly address: string }[]
    readonly conditions: readonly { readonly type: string; readonly status: string }[]
    readonly nodeInfo: Readonly<Record<string, string>>
  }
}

export interface ServiceObject extends Named {
  readonly spec: { readonly clusterIP: string; readonly ports: readonly { readonly name?: string; readonly port: number; readonly nodePort?: number }[] }
}

export const isReady = (object: PodObject | NodeObject): boolean =>
  object.metadata.deletionTimestamp === undefined && (object.status.conditions ?? []).some((c) => c.type === 'Ready' && c.status === 'True')

const image = 'wherry.local/echo:1'
const fieldEnv = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } })
const container = {
  name: 'echo',
  image,
  imagePullPolicy: 'IfNotPresent',
  env: [fieldEnv('POD_NAME', 'metadata.name'), fieldEnv('NODE_NAME', 'spec.nodeName')],
  ports: [{ containerPort: 8080 }],
  resources: { requests: { cpu: '10m', memory: '16Mi' } },
}

interface Wish {
  readonly name: string
  readonly replicas: number
  /** Only on these machines. */
  readonly on: readonly Machine[]
  /** Further labels of its pods. */
  readonly labels?: Readonly<Record<string, string>>
  /** Its pods leave a lost node after this many seconds. */
  readonly patience?: number
}

export function deployment({ name, replicas, on, labels: more = {}, patience = 300 }: Wish): object {
  const labels = { app: name }
  const values = on.map((machine) => machine.name)
  const affinity = {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values }] }] } },
  }
  const tolerations = ['not-ready', 'unreachable'].map((word) => ({ key: `node.kubernetes.io/${word}`, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: patience }))
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default', labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels: { ...labels, ...more } }, spec: { affinity, tolerations, terminationGracePeriodSeconds: 2, containers: [container] } },
    },
  }
}

export function service(name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'NodePort', selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  }
}

/** The ready pods of an app. */
export async function podsOf(cluster: Cluster, app: string): Promise<readonly PodObject[]> {
  const { items } = await cluster.kubectlJson<{ readonly items: readonly PodObject[] }>('get', 'pods', '-l', `app=${app}`)
  return items.filter(isReady)
}

export async function rolledOut(cluster: Cluster, app: string, count: number): Promise<readonly PodObject[]> {
  return cluster.until(`${count} ready pods of ${app}`, 900, async () => {
    const pods = await podsOf(cluster, app)
    return pods.length === count ? pods : `${pods.length} are ready`
  })
}

/** The addresses in the EndpointSlices of a service that are ready. */
export async function endpointsOf(cluster: Cluster, name: string): Promise<readonly string[]> {
  interface Slice { readonly endpoints?: readonly { readonly addresses: readonly string[]; readonly conditions?: { readonly ready?: boolean } }[] }
  const { items } = await cluster.kubectlJson<{ readonly items: readonly Slice[] }>('get', 'endpointslices', '-l', `kubernetes.io/service-name=${name}`)
  return items.flatMap((slice) => (slice.endpoints ?? []).filter((e) => e.conditions?.ready !== false).flatMap((e) => e.addresses)).toSorted()
}

/** Every line must name a ready pod and the node that it is on. @returns the nodes that answered */
export function answeredBy(text: string, pods: readonly PodObject[]): ReadonlySet<string> {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  must(lines.length > 0, 'there was no answer')
  return new Set(
    lines.map((line) => {
      const [, pod, node] = /pod=(\S+) node=(\S+)/.exec(line) ?? []
      const known = pods.find((p) => p.metadata.name === pod)
      must(known !== undefined && known.spec.nodeName === node, `"${line}" names no ready pod where it is`)
      return node!
    }),
  )
}

/** The lab's proof: who asks whom, and whether the right pods answered. Pure; `demo.ts` asks. */
import { formatTable } from '../table.ts'
import type { Answer, Target } from './probe.ts'

/** One question of the matrix. */
export interface Question {
  /** Where the packet starts: a node, a pod, or the hub's namespace. */
  readonly from:
    | { readonly kind: 'node'; readonly name: string }
    | { readonly kind: 'hub' }
    | { readonly kind: 'pod'; readonly name: string; readonly node: string; readonly container: string }
  readonly target: Target
  /** How the target is called in the table, e.g. `cluster IP`. */
  readonly what: string
}

export interface ReadyPod {
  readonly name: string
  readonly node: string
  readonly address: string
  /** The id of its container on the node. */
  readonly container: string
}

export interface DemoService {
  readonly clusterIP: string
  /** The service's TCP port, and the port on every node. */
  readonly http: { readonly port: number; readonly nodePort: number }
  /** The service's UDP port. */
  readonly echo: { readonly port: number }
}

export interface Place {
  readonly nodes: readonly { readonly name: string; readonly address: string }[]
  readonly pods: readonly ReadyPod[]
  readonly service: DemoService
}

/** Cluster IP from every node and every pod, every node's own port from the hub's namespace, and the UDP echo from every node. */
export function planQuestions({ nodes, pods, service }: Place): readonly Question[] {
  const http = (host: string, port: number): Target => ({ kind: 'http', host, port })
  const echo: Target = { kind: 'udp', host: service.clusterIP, port: service.echo.port }
  return [
    ...nodes.map(({ name }): Question => ({
      from: { kind: 'node', name },
      target: http(service.clusterIP, service.http.port),
      what: 'cluster IP',
    })),
    ...pods.map(({ name, node, container }): Question => ({
      from: { kind: 'pod', name, node, container },
      target: http(service.clusterIP, service.http.port),
      what: 'cluster IP',
    })),
    ...nodes.map(({ address }): Question => ({
      from: { kind: 'hub' },
      target: http(address, service.http.nodePort),
      what: 'node port',
    })),
    ...nodes.map(({ name }): Question => ({ from: { kind: 'node', name }, target: echo, what: 'UDP echo' })),
  ]
}

export type Verdict =
  | { readonly kind: 'right'; readonly pod: string; readonly node: string; readonly ms: number }
  | { readonly kind: 'wrong'; readonly why: string; readonly ms: number }

/** Right is an answer that names a ready pod and the node that this pod is on. */
export function judge(answer: Answer, pods: readonly ReadyPod[]): Verdict {
  const { ms } = answer
  if (answer.kind === 'failed') return { kind: 'wrong', why: answer.reason, ms }
  const pod = /\bpod=(\S+)/.exec(answer.body)?.[1]
  const node = /\bnode=(\S+)/.exec(answer.body)?.[1]
  if (!pod || !node) return { kind: 'wrong', why: `unexpected answer ${JSON.stringify(answer.body.slice(0, 60))}`, ms }
  const known = pods.find((candidate) => candidate.name === pod)
  if (!known) return { kind: 'wrong', why: `answered by ${pod}, which is not a ready pod of the service`, ms }
  if (known.node !== node) return { kind: 'wrong', why: `${pod} says ${node} but is on ${known.node}`, ms }
  return { kind: 'right', pod, node, ms }
}

export interface Row {
  readonly question: Question
  readonly verdict: Verdict
}

export function matrixTable(rows: readonly Row[]): string {
  const cells = rows.map(({ question: { from, target, what }, verdict }) => [
    verdict.kind === 'right' ? '✓' : '✗',
    from.kind === 'hub' ? 'hub' : from.name,
    `${target.host}:${target.port}/${target.kind === 'udp' ? 'UDP' : 'TCP'}`,
    what,
    ...(verdict.kind === 'right' ? [verdict.pod, verdict.node] : [verdict.why, '-']),
    verdict.ms.toFixed(1),
  ])
  return formatTable(['', 'FROM', 'TO', '', 'ANSWERED BY', 'ON', 'MS'], cells, '  ')
}

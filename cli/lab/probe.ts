/**
 * Run inside a namespace: asks each target once and prints one JSON line for each.
 * Arguments: `http:HOST:PORT` or `udp:HOST:PORT`.
 * Needs no tool of the machine but Node.
 */
import { createSocket } from 'node:dgram'
import { get } from 'node:http'
import { fileURLToPath } from 'node:url'

export interface Target {
  readonly kind: 'http' | 'udp'
  readonly host: string
  readonly port: number
}

/** `ms` is from before the connection to the whole answer. */
export type Answer =
  | { readonly kind: 'answered'; readonly body: string; readonly ms: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly ms: number }

const deadlineMs = 3_000

export const targetText = (target: Target): string => `${target.kind}:${target.host}:${target.port}`

export function parseTarget(text: string): Target {
  const [kind, host, port] = text.split(':')
  if ((kind !== 'http' && kind !== 'udp') || !host || !Number(port)) throw new TypeError(`${text} is not a target`)
  return { kind, host, port: Number(port) }
}

/** Never rejects. */
export async function ask(target: Target): Promise<Answer> {
  const begin = performance.now()
  const ms = (): number => Math.round((performance.now() - begin) * 100) / 100
  try {
    const body = await (target.kind === 'http' ? askHttp(target) : askUdp(target))
    return { kind: 'answered', body, ms: ms() }
  } catch (error) {
    return { kind: 'failed', reason: (error as NodeJS.ErrnoException).code ?? (error as Error).message, ms: ms() }
  }
}

function askHttp({ host, port }: Target): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = get({ host, port, path: '/', agent: false, signal: AbortSignal.timeout(deadlineMs) }, (answer) => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (part: string) => (body += part))
      answer.on('error', reject)
      answer.on('end', () => (answer.statusCode === 200 ? resolve(body) : reject(new Error(`HTTP ${answer.statusCode}`))))
    })
    call.on('error', reject)
  })
}

function askUdp({ host, port }: Target): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    const timer = setTimeout(() => end(new Error('no answer')), deadlineMs)
    const end = (error?: Error, body = ''): void => {
      clearTimeout(timer)
      socket.close()
      if (error) reject(error)
      else resolve(body)
    }
    socket.on('error', end)
    // Connected, so that an ICMP refusal is an error here and strangers' datagrams are not answers.
    socket.on('message', (message) => end(undefined, message.toString('utf8')))
    socket.connect(port, host, (error?: Error) => (error ? end(error) : socket.send('wherry\n')))
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const text of process.argv.slice(2)) process.stdout.write(`${JSON.stringify(await ask(parseTarget(text)))}\n`)
}

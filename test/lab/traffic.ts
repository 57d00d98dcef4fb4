/**
 * Traffic of a test: one new TCP connection and one HTTP request after another, until standard input ends or the time is
 * up. Run inside a node's network namespace. Prints one JSON line: `{"ok":n,"failed":n,"errors":{…},"pods":[…]}`.
 *
 * usage: traffic.ts HOST PORT SECONDS
 */
import net from 'node:net'

const [host, port, seconds] = process.argv.slice(2) as [string, string, string]
const end = Date.now() + Number(seconds) * 1000
const result = { ok: 0, failed: 0, errors: {} as Record<string, number>, pods: new Set<string>() }

function once(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port: Number(port) })
    let text = ''
    socket.setTimeout(2_000, () => socket.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })))
    socket.on('connect', () => socket.write('GET / HTTP/1.0\r\n\r\n'))
    socket.on('data', (d) => (text += String(d)))
    socket.on('error', reject)
    socket.on('close', () => {
      const pod = /pod=(\S+)/.exec(text)?.[1]
      if (pod) resolve(pod)
      else reject(Object.assign(new Error('no answer'), { code: text === '' ? 'EMPTY' : 'GARBLED' }))
    })
  })
}

let stopped = false
process.stdin.on('end', () => (stopped = true)).resume()
process.stdout.write('started\n')
while (!stopped && Date.now() < end) {
  try {
    result.pods.add(await once())
    result.ok++
  } catch (e) {
    result.failed++
    const code = String((e as { code?: string }).code ?? e)
    result.errors[code] = (result.errors[code] ?? 0) + 1
  }
}
process.stdout.write(`${JSON.stringify({ ...result, pods: [...result.pods] })}\n`)
process.exit(0)

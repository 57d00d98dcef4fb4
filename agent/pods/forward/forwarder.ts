/**
 * A process in the network namespace of a pod that makes connections for the agent, which itself stays in the node's: it
 * listens on the Unix socket of its one argument. The first line on a connection is `HOST PORT`; it is answered with `ok`, or
 * with the system's error code, and then bytes pass both ways. It ends when there has been no connection for a while.
 */
import { createServer, type Socket } from 'node:net'
import { argv, exit, stdout } from 'node:process'
import { connectTo } from './dial.ts'

const idleMs = 30_000
/** `HOST PORT` is short. */
const maxLine = 300

const [, , path] = argv
if (!path) exit(2)
let open = 0
let idle = setTimeout(() => exit(0), idleMs)

function began(): void {
  open++
  clearTimeout(idle)
}

function ended(): void {
  if (--open === 0) idle = setTimeout(() => exit(0), idleMs)
}

async function serve(client: Socket): Promise<void> {
  const [host = '', port = ''] = (await firstLine(client)).split(' ')
  try {
    const pod = await connectTo(host, Number(port))
    client.write('ok\n')
    // A side that has ended is told to the other, which may go on; one that breaks takes the other with it.
    client.pipe(pod).pipe(client)
    client.on('close', () => pod.destroy()).on('error', () => pod.destroy())
    pod.on('error', () => client.destroy())
  } catch (e) {
    client.end(`${(e as NodeJS.ErrnoException).code ?? 'EIO'}\n`)
  }
}

/** Leaves what follows it in the socket. */
function firstLine(client: Socket): Promise<string> {
  return new Promise((resolve) => {
    const look = (): void => {
      const bytes = client.read() as Buffer | null
      if (!bytes) return
      const at = bytes.indexOf('\n')
      if (at < 0 || at > maxLine) return void client.destroy()
      client.off('readable', look)
      if (at + 1 < bytes.length) client.unshift(bytes.subarray(at + 1))
      resolve(bytes.toString('latin1', 0, at))
    }
    client.on('readable', look)
  })
}

createServer({ allowHalfOpen: true }, (client) => {
  began()
  client.on('close', ended).on('error', () => {})
  void serve(client)
}).listen(path, () => stdout.write('ready\n'))

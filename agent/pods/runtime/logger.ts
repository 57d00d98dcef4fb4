/**
 * The process that containerd's shim starts beside each container (`ctr run --log-uri binary://…`): it reads the container's
 * stdout from descriptor 3 and its stderr from 4, and says by closing 5 that it is ready. It lives as long as the
 * container holds its outputs open, whatever happens to the agent. Its one argument is the log's path, and behind a line
 * break that of the socket on which it passes on what it reads.
 */
import { closeSync, createReadStream } from 'node:fs'
import { argv, exit } from 'node:process'
import type { LogStream } from './log-format.ts'
import { createLive } from './live.ts'
import { createLogWriter } from './log-writer.ts'

const streams: readonly (readonly [number, LogStream])[] = [
  [3, 'stdout'],
  [4, 'stderr'],
]
const [path, livePath] = argv[2]?.split('\n') ?? []
if (!path) exit(2)
const writer = createLogWriter(path, Date.now)
const live = livePath ? createLive(livePath) : undefined
let open = streams.length

// The shim asks with SIGTERM once the container has ended; what is still in the pipes is read first, and their end ends us.
process.on('SIGTERM', () => {})
for (const [fd, stream] of streams) {
  const take = (bytes: Buffer): void => {
    writer.write(stream, bytes)
    live?.write(stream, bytes)
  }
  const end = (): void => {
    writer.end(stream)
    if (--open === 0) live?.close()
  }
  createReadStream('', { fd })
    .on('data', (bytes) => take(bytes as Buffer))
    .on('end', end)
    .on('error', end)
}
closeSync(5)

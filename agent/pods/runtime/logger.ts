/**
 * The process that containerd's shim starts beside each container (log URI `binary://…`): it reads the container's stdout
 * from descriptor 3 and its stderr from 4, and says by closing 5 that it is ready. It lives as long as the container holds its
 * outputs open, whatever happens to the agent. Its one argument is a `LoggerPlan` in JSON.
 */
import { closeSync, createReadStream } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { argv } from 'node:process'
import type { LogStream } from './log-format.ts'
import { createLive } from './live.ts'
import { createLogWriter } from './log-writer.ts'
import { readLoggerPlan } from './logger-plan.ts'
import { openStdin } from './stdin.ts'

const plan = readLoggerPlan(argv[2] ?? '')
// A terminal has one output. The shim keeps the other one open without use.
const streams: readonly (readonly [number, LogStream])[] = [[3, 'stdout'], ...(plan.tty ? [] : [[4, 'stderr'] as const])]
const writer = createLogWriter(plan.log, Date.now)
const stdin = plan.stdin ? openStdin(plan.stdin.pipe) : undefined
const live = createLive(plan.live, stdin && { stdin, once: plan.stdin?.once ?? false })
let open = streams.length

// The shim asks with SIGTERM once the container has ended; what is still in the pipes is read first, and their end ends us.
process.on('SIGTERM', () => {})
for (const [fd, stream] of streams) {
  const output = createReadStream('', { fd })
  const take = (bytes: Buffer): void => {
    writer.write(stream, bytes)
    const full = live.write(stream, bytes)
    if (!full) return
    output.pause()
    void full.then(() => output.resume())
  }
  const end = (): void => {
    writer.end(stream)
    if (--open > 0) return
    live.close()
    stdin?.destroy()
  }
  output
    .on('data', (bytes) => take(bytes as Buffer))
    .on('end', end)
    .on('error', end)
}
closeSync(5)
// Loggers to come find what this one compiled.
flushCompileCache()

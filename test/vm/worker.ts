/** The program that a test machine runs for the pool: a vitest worker that talks over the machine's channel. */
import { createReadStream, openSync, writeSync } from 'node:fs'
import { init, runBaseTests, setupEnvironment } from 'vitest/worker'
import { createFrameReader, frame } from './frames.ts'

const port = openSync(process.argv[2]!, 'r+')
const exit = process.exit.bind(process)

type Listener = (message: unknown) => void
const listeners = new Set<Listener>()
// A copy, for a listener may remove itself.
const input = createReadStream('', { fd: port })
input.on('data', createFrameReader((message) => [...listeners].forEach((listener) => listener(message))) as (chunk: Buffer | string) => void)
// The host has gone, so there is nobody to report to.
input.on('close', () => exit(1))

/** All or nothing: the port takes what fits, and waits for the host. */
function post(message: unknown): void {
  let rest: Buffer = frame(message)
  while (rest.length > 0) rest = rest.subarray(writeSync(port, rest))
}

init({
  post,
  on: (listener) => void listeners.add(listener),
  off: (listener) => void listeners.delete(listener),
  runTests: (state, traces) => runBaseTests('run', state, traces),
  collectTests: (state, traces) => runBaseTests('collect', state, traces),
  setup: setupEnvironment,
})
post({ kind: 'ready' })

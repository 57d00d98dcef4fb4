/**
 * A pool of vitest whose worker is a test machine (vitest, "Custom Pool"): files run inside, and their tests are reported as if
 * they had run here. One machine for each worker; with `isolate: false` and one worker that is one for all files.
 */
import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import type { PoolOptions, PoolRunnerInitializer, PoolWorker, WorkerRequest } from 'vitest/node'
import { createFrameReader, frame } from './frames.ts'
import { checkout, type Kernel } from './kernel.ts'
import { channelPath, startMachine, type Machine } from './machine.ts'

/** From the start of QEMU to the worker's first word. */
const bootMs = 80_000

export const vmPool = (kernel: Kernel): PoolRunnerInitializer => ({
  name: 'vm',
  createPoolWorker: (options) => createVmWorker(kernel, options),
})

function createVmWorker(kernel: Kernel, options: PoolOptions): PoolWorker {
  const events = new EventEmitter()
  const { outputStream } = options.project.vitest.logger
  let machine: Machine | undefined

  return {
    name: 'vm',
    // Files of the host's cache are not seen inside: its /tmp is its own.
    cacheFs: false,
    on: (event, listener) => void events.on(event, listener),
    off: (event, listener) => void events.off(event, listener),
    deserialize: (message) => message,
    send: (message: WorkerRequest) => void machine?.channel.write(frame(message)),
    async start() {
      machine = await startMachine({
        kernel,
        job: {
          command: process.execPath,
          args: [...options.execArgv, join(checkout, 'test/vm/worker.ts'), channelPath],
          env: { ...options.env, WHERRY_VM: kernel.release },
        },
        onLine: (line) => outputStream.write(`${line}\n`),
      })
      const ready = once(events, 'message', { signal: AbortSignal.timeout(bootMs) })
      machine.channel.on('data', createFrameReader((message) => events.emit('message', message)))
      const ended = machine.ended.then((end) => {
        if (end.kind === 'stopped') return
        const what = end.kind === 'exit' ? `its worker ended with code ${end.code}; ${end.console}` : end.reason
        throw new Error(`The test machine is gone: ${what}`)
      })
      // Before vitest listens, the race below tells it.
      ended.catch((error: unknown) => events.listenerCount('error') > 0 && events.emit('error', error))
      try {
        await Promise.race([ready, ended])
      } catch (error) {
        await machine.stop()
        throw error
      }
    },
    stop: async () => machine?.stop(),
  }
}

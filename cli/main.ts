/** The `wherry` command: wires the room and runs one command. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommanderError } from 'commander'
import { systemClock } from '../api/clock.ts'
import { createLog } from '../api/log.ts'
import { commands } from './commands.ts'
import { readConfig } from './config.ts'
import { describeError, exitCodeOf } from './error.ts'
import { createExec } from './exec.ts'
import { createProcesses } from './lab/process.ts'
import type { Farewell } from './lab/supervisor.ts'
import { createProgram } from './program.ts'

const config = readConfig(process.stdout)
const stop = new AbortController()

/**
 * SIGTERM and SIGINT: end the children. SIGUSR2: leave them running. The listeners stay: while programs run, execa's own ends the
 * process at a signal for which nobody else listens any more.
 */
function farewell(): Promise<Farewell> {
  return new Promise((resolve) => {
    process.on('SIGTERM', () => resolve('end-children'))
    process.on('SIGINT', () => resolve('end-children'))
    process.on('SIGUSR2', () => resolve('leave-children'))
  })
}

const actions = commands({
  config,
  exec: createExec(config.path, config.childEnv),
  processes: createProcesses(),
  clock: systemClock,
  log: createLog({ level: 'info', write: (line) => process.stdout.write(line), now: () => systemClock.now() }),
  write: (text) => process.stdout.write(text),
  signal: stop.signal,
  farewell,
  setExitCode: (code) => (process.exitCode = code),
})

const supervises = process.argv[2] === 'lab'
if (!supervises)
  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(130)
    stop.abort(new Error('interrupted'))
  })

const { version } = JSON.parse(readFileSync(join(config.root, 'package.json'), 'utf8')) as { version: string }
const program = createProgram(actions, version)
try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    process.stderr.write(
      stop.signal.aborted
        ? 'wherry: interrupted\n        run the same command again; it goes on where it was\n'
        : describeError(error),
    )
    if (config.debug) console.error(error)
    process.exitCode = stop.signal.aborted ? 130 : exitCodeOf(error)
  }
}
// Children that were left running, and a watch on them, must not keep the supervisor.
if (supervises) process.exit()

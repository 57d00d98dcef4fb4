/**
 * `npm run bench`: the figures of the data plane on the real kernel, with real processes, in network namespaces of its own. One
 * JSON document on standard output and in test/bench/results/, progress and a table on standard error.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { tableOf, type Figure } from './figures.ts'
import { planOf, usage, type Plan } from './plan.ts'
import { createRun } from './run.ts'

const say = (text: string): void => void process.stderr.write(`${text}\n`)

function planned(): Plan {
  const argv = process.argv.slice(2)
  if (argv.includes('--help')) {
    process.stdout.write(usage)
    process.exit(0)
  }
  try {
    return planOf(argv)
  } catch (e) {
    say(`${(e as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}

const plan = planned()
if (process.getuid?.() !== 0) {
  say('The benchmark programs a real kernel in network namespaces of its own: run it as root.')
  process.exit(1)
}

const started = new Date()
const loadBefore = loadavg()[0]!
const run = createRun(plan, (what) => say(`${((Date.now() - started.getTime()) / 1_000).toFixed(0).padStart(4)} s  ${what} …`))
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interrupted) process.exit(130)
    interrupted = true
    void run.close()
  })
}

const figures: Figure[] = []
for await (const figure of run.figures()) figures.push(figure)
await run.close()
if (interrupted) process.exit(130)

const machine = { cpus: cpus().length, model: cpus()[0]?.model, memoryGB: Math.round(totalmem() / 1e9), kernel: release(), node: process.version, loadBefore }
const text = `${JSON.stringify({ at: started.toISOString(), machine, figures }, null, 2)}\n`
const results = join(import.meta.dirname, 'results')
const file = join(results, `${started.toISOString().replaceAll(':', '-').slice(0, 19)}.json`)
mkdirSync(results, { recursive: true })
writeFileSync(file, text)
process.stdout.write(text)
say(`\n${machine.cpus} x ${machine.model}, ${machine.memoryGB} GB, Linux ${machine.kernel}, Node ${machine.node}; services of 3 endpoints; load before: ${loadBefore.toFixed(1)}\n`)
say(tableOf(figures))
say(`\nAlso in ${file}`)

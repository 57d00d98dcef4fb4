/**
 * `npm run bench [-- --sizes 1000,10000 --changes 300]`: start-to-serving and change-to-serving on the real kernel, one
 * JSON document on standard output, progress on standard error. Each size has a fresh hub, agent and network namespace.
 */
import { execFileSync, spawn } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeAddress } from './stage.ts'

const { values } = parseArgs({ options: { sizes: { type: 'string', default: '1000,10000,30000' }, changes: { type: 'string', default: '300' } } })
const sizes = values.sizes.split(',').map(Number)
if (process.getuid?.() !== 0) {
  process.stderr.write('The benchmark programs a real kernel in a network namespace of its own: run it as root.\n')
  process.exit(1)
}

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })

/** One process inside the namespace, its last line as JSON. */
function inside(namespace: string, size: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const args = [`--net=/run/netns/${namespace}`, '--', process.execPath, join(import.meta.dirname, 'run.ts'), String(size), values.changes]
    const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (d) => (out += String(d)))
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`the run with ${size} services ended with ${code}`))))
  })
}

async function measure(size: number): Promise<unknown> {
  const namespace = `wherry-bench-${process.pid}`
  ip('netns', 'add', namespace)
  try {
    ip('-n', namespace, 'link', 'set', 'lo', 'up')
    ip('-n', namespace, 'addr', 'add', `${nodeAddress}/32`, 'dev', 'lo')
    // Every pod address answers here, and virtual IPs have a route, as they have on a node.
    ip('-n', namespace, 'route', 'add', 'local', '10.244.0.0/16', 'dev', 'lo')
    ip('-n', namespace, 'route', 'add', '10.96.0.0/12', 'dev', 'lo', 'src', nodeAddress)
    return await inside(namespace, size)
  } finally {
    ip('netns', 'del', namespace)
  }
}

const runs: unknown[] = []
for (const size of sizes) {
  process.stderr.write(`${size} services x 3 endpoints …\n`)
  runs.push(await measure(size))
}
const machine = { cpus: cpus().length, model: cpus()[0]?.model, memoryGB: Math.round(totalmem() / 1e9), kernel: release() }
process.stdout.write(`${JSON.stringify({ machine, runs }, null, 2)}\n`)

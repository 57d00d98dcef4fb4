/** /livez, /readyz and /healthz, and /version. */
import type { Call, HealthCheck } from './call.ts'
import { flag } from './query.ts'
import { nothingHere, sendText, sendValue } from './reply.ts'

export type HealthEndpoint = 'livez' | 'readyz' | 'healthz'

/** A check that says nothing for so long counts as failed. Milliseconds. */
const checkMs = 3_000

/**
 * Answers `ok`, or 500 with every check by name; `?verbose` gives the names always, `?exclude=NAME` leaves one out.
 * @param name of the one check that is asked for
 * @throws StatusError NotFound where there is no such check
 */
export async function health(call: Call, endpoint: HealthEndpoint, name?: string): Promise<void> {
  const all: readonly HealthCheck[] = [{ name: 'ping', run: () => undefined }, ...(call.deps.checks ?? [])]
  const checks = all.filter((check) => endpoint !== 'livez' || !check.readyOnly)
  if (name === undefined) return several(call, endpoint, checks)
  const one = checks.find((check) => check.name === name)
  if (!one) throw nothingHere()
  const wrong = await outcome(call, one)
  reply(call, wrong === undefined ? 'ok' : `internal server error: ${name} failed: ${wrong}\n`, wrong === undefined)
}

async function several(call: Call, endpoint: HealthEndpoint, checks: readonly HealthCheck[]): Promise<void> {
  const excluded = new Set(call.query.getAll('exclude'))
  const verbose = flag(call.query, 'verbose')
  const lines = await Promise.all(
    checks.map(async (check) => {
      if (excluded.delete(check.name)) return `[+]${check.name} excluded: ok`
      const wrong = await outcome(call, check)
      return wrong === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: ${wrong}`
    }),
  )
  const healthy = !lines.some((line) => line.startsWith('[-]'))
  const unknown = [...excluded].map((word) => `warn: there is no check ${JSON.stringify(word)} to exclude`)
  const text = `${[...lines, ...unknown, `${endpoint} check ${healthy ? 'passed' : 'failed'}`].join('\n')}\n`
  reply(call, verbose || !healthy ? text : 'ok', healthy)
}

function reply(call: Call, text: string, healthy: boolean): void {
  sendText(call, text, { code: healthy ? 200 : 500, type: 'text/plain; charset=utf-8' })
}

/** What is wrong, if anything; a check that fails or is too slow is wrong too. */
async function outcome({ deps, signal }: Call, check: HealthCheck): Promise<string | undefined> {
  const late = new AbortController()
  const tooLate = Promise.withResolvers<string>()
  const cancel = deps.clock.after(checkMs, () => {
    late.abort(new DOMException('the check takes too long', 'TimeoutError'))
    tooLate.resolve(`no answer within ${checkMs} ms`)
  })
  try {
    return await Promise.race([check.run(AbortSignal.any([signal, late.signal])), tooLate.promise])
  } catch (e) {
    return e instanceof Error ? e.message : String(e)
  } finally {
    cancel()
  }
}

/** The Kubernetes version whose API is spoken here, with our own behind the plus. */
export function version(call: Call): void {
  sendValue(call, {
    major: '1',
    minor: '32',
    gitVersion: `v1.32.0+wherry-${call.deps.version}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: '',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  })
}

/** /livez, /readyz and /healthz, and /version. */
import type { Call, HealthCheck } from './call.ts'
import { flag } from './query.ts'
import { sendText, sendValue } from './reply.ts'

/** Answers `ok`, or 500 with every check by name; `?verbose` gives the names always, `?exclude=NAME` leaves one out. */
export function health(call: Call, endpoint: 'livez' | 'readyz' | 'healthz'): void {
  const excluded = new Set(call.query.getAll('exclude'))
  const checks: readonly HealthCheck[] = [{ name: 'ping', run: () => undefined }, ...(call.deps.checks ?? [])]
  const results = checks
    .filter((check) => endpoint !== 'livez' || !check.readyOnly)
    .map((check) => ({ name: check.name, wrong: excluded.has(check.name) ? undefined : check.run(), left: excluded.has(check.name) }))
  const healthy = results.every((r) => r.wrong === undefined)
  const lines = results.map(({ name, wrong, left }) => {
    if (wrong !== undefined) return `[-]${name} failed: ${wrong}`
    return left ? `[+]${name} excluded: ok` : `[+]${name} ok`
  })
  const verbose = !healthy || flag(call.query, 'verbose')
  const text = verbose ? `${[...lines, `${endpoint} check ${healthy ? 'passed' : 'failed'}`].join('\n')}\n` : 'ok'
  sendText(call, text, { code: healthy ? 200 : 500, type: 'text/plain; charset=utf-8' })
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

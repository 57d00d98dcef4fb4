/** Waits until the configuration file says something else. What it says is read once, so the process has to start again. */
import { sleep, type Clock } from '../../api/clock.ts'
import type { ConfigFile } from './config/config.ts'
import { ProxyError } from './error.ts'

/** Of a ConfigMap the file is a link that is exchanged, which no watch on the file sees: it is looked at instead. */
const everyMs = 2_000

/**
 * @param readFile throws where there is no such file, which is not a change: it is on its way
 * @throws ProxyError RESTART_NEEDED; the signal's reason after an abort
 */
export async function configChange(file: ConfigFile, deps: { readonly clock: Clock; readonly readFile: (path: string) => string }, signal: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(deps.clock, everyMs, signal)
    let text: string
    try {
      text = deps.readFile(file.path)
    } catch {
      continue
    }
    if (text !== file.text) throw new ProxyError('RESTART_NEEDED', `the configuration file ${file.path} was changed: the proxy has to start again`)
  }
}

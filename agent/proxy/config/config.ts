/** The proxy's command line and configuration file as one value, and the only place of this room that reads the environment. */
import type { LogLevel } from '../../../api/log.ts'
import { ProxyError } from '../error.ts'
import { complete } from './complete.ts'
import { readDocument } from './document.ts'
import { readFlags, type Flags } from './flags.ts'
import type { ProxyConfig } from './proxy-config.ts'

/** What the process is to do. */
export type ProxyCommand =
  | { readonly kind: 'help' | 'version' }
  | { readonly kind: 'write-config'; readonly config: ProxyConfig; readonly to: string }
  | { readonly kind: 'cleanup' | 'init-only'; readonly config: ProxyConfig; readonly ignored: readonly string[] }
  | { readonly kind: 'run'; readonly config: ProxyConfig; readonly ignored: readonly string[]; readonly file?: ConfigFile; readonly notesDir?: string }

/** The file as it was read: the process ends when it says something else. */
export interface ConfigFile {
  readonly path: string
  readonly text: string
}

export interface CommandDeps {
  readonly hostname: string
  /** Throws where there is no such file. */
  readonly readFile: (path: string) => string
}

/** @throws ProxyError USAGE that names the flag or the field, and the way out */
export function readCommand(argv: readonly string[], { hostname, readFile }: CommandDeps): ProxyCommand {
  const flags = readFlags(argv)
  if (flags.help) return { kind: 'help' }
  if (flags.version) return { kind: 'version' }
  const file = flags.config === undefined ? undefined : { path: flags.config, text: read(flags.config, readFile) }
  const config = complete(documentOf(flags, file), {
    source: file?.path ?? 'flags',
    hostname,
    ...(flags.master !== undefined && { master: flags.master }),
    noHealthz: flags.noHealthz,
    noMetrics: flags.noMetrics,
  })
  const ignored = [...config.moot, ...flags.moot, ...flags.besideFile.map((flag) => `${flag} (the configuration file counts)`)]
  if (flags.writeConfigTo !== undefined) return { kind: 'write-config', config, to: flags.writeConfigTo }
  if (flags.cleanup) return { kind: 'cleanup', config, ignored }
  if (flags.initOnly) return { kind: 'init-only', config, ignored }
  return { kind: 'run', config, ignored, ...(file && { file }), ...(flags.notesDir !== undefined && { notesDir: flags.notesDir }) }
}

function documentOf(flags: Flags, file: ConfigFile | undefined): ReturnType<typeof readDocument> {
  return file ? new Map([...readDocument(file.text, file.path), ...flags.fields]) : flags.fields
}

function read(path: string, readFile: CommandDeps['readFile']): string {
  try {
    return readFile(path)
  } catch (cause) {
    throw new ProxyError('USAGE', `--config ${path}: the file cannot be read: ${(cause as Error).message}`, { cause })
  }
}

/** klog's numbers: from 4 on people look for faults, from 6 on at every request. */
export function logLevelOf(verbosity: number): LogLevel {
  if (verbosity >= 6) return 'trace'
  return verbosity >= 4 ? 'debug' : 'info'
}

/** Where a pod finds the API: Kubernetes sets these two variables in every container. */
export function readSurroundings(env: Readonly<Record<string, string | undefined>> = process.env): { readonly host?: string; readonly port?: string } {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env
  return { ...(host && { host }), ...(port && { port }) }
}

/** The only reader of the environment in this room. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface CliConfig {
  /** Search path for the system's tools; the administrator's directories are always in it. */
  readonly path: string
  /** Whether marks may be coloured. */
  readonly colour: boolean
  /** Whether errors show their stack. */
  readonly debug: boolean
  /** The checkout: where `agent/`, `server/` and `vagrant/` are. */
  readonly root: string
  /** The Node program that runs everything of ours, with the flags that libnftables needs. */
  readonly node: readonly string[]
  /** What our own programs get as environment: where Node keeps what it compiled. */
  readonly childEnv: Readonly<Record<string, string>>
}

const administratorsPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Whether standard output is a terminal decides about colours. */
export function readConfig(
  stdout: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>> = process.env,
): CliConfig {
  const given = (env.PATH ?? '').split(':').filter((dir) => dir !== '')
  const path = [...given, ...administratorsPath.filter((dir) => !given.includes(dir))].join(':')
  return {
    path,
    colour: stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb',
    debug: Boolean(env.WHERRY_DEBUG),
    root: dirname(dirname(fileURLToPath(import.meta.url))),
    childEnv: env.NODE_COMPILE_CACHE ? { NODE_COMPILE_CACHE: env.NODE_COMPILE_CACHE } : {},
    node: [process.execPath, '--experimental-ffi', '--disable-warning=ExperimentalWarning'],
  }
}

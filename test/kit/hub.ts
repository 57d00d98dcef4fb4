/** A hub as a process, for tests of what happens when it dies. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createApi, type Api } from './api.ts'

export interface HubProcess {
  readonly url: string
  /** As the administrator. */
  readonly api: Api
  /** What it has logged. */
  output(): string
  /** SIGTERM, or as a power cut would; resolves when it is gone. */
  end(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

const root = resolve(import.meta.dirname, '../..')

export interface HubWish {
  readonly data: string
  readonly port: number
  /** Where it listens: 127.0.0.1 unless told. */
  readonly host?: string
  readonly flags?: readonly string[]
}

/** Resolves when it serves. @throws with its last words where it ends before */
export async function startHub({ data, port, host = '127.0.0.1', flags = [] }: HubWish): Promise<HubProcess> {
  const url = `https://${host}:${port}`
  const args = ['--disable-warning=ExperimentalWarning', join(root, 'server/main.ts'), '--data', data, '--listen', `${host}:${port}`, ...flags]
  // What Node has compiled once need not be compiled again by the next hub.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/wherry') }
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const ended = once(child, 'close')
  let text = ''
  const { promise, resolve: serves, reject } = Promise.withResolvers<void>()
  const late = setTimeout(() => reject(new Error(`the hub does not serve after 30 s:\n${text.slice(-2_000)}`)), 30_000)
  const read = (part: unknown): void => {
    text += String(part)
    if (text.includes('the hub is serving')) serves()
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  child.once('close', (code) => reject(new Error(`the hub ended with ${code}:\n${text.slice(-2_000)}`)))
  const end = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> => {
    api?.close()
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
  }
  let api: Api | undefined
  try {
    await promise
  } catch (e) {
    await end('SIGKILL')
    throw e
  } finally {
    clearTimeout(late)
  }
  const pem = (name: string): string => readFileSync(join(data, 'pki', name), 'utf8')
  api = createApi({ url, tls: { ca: pem('ca.crt'), cert: pem('admin.crt'), key: pem('admin.key') } })
  return { url, api, output: () => text, end }
}

/** A network namespace with a stage in it, seen from outside. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Answer, Order, Work, Works } from './inside.ts'

type Options<W extends Work> = Parameters<Works[W]> extends [unknown, (infer O)?] ? O : undefined

export interface Site {
  /** Has a work done on the stage, one at a time. */
  ask<W extends Work>(work: W, options: Options<W>): Promise<Awaited<ReturnType<Works[W]>>>
  close(): Promise<void>
}

const nodeAddress = '198.18.0.11'
const ip = (...args: readonly string[]): void => void execFileSync('ip', args)
let opened = 0

export async function openSite(): Promise<Site> {
  const name = `wherry-bench-${process.pid}-${opened++}`
  ip('netns', 'add', name)
  try {
    ip('-n', name, 'link', 'set', 'lo', 'up')
    ip('-n', name, 'addr', 'add', `${nodeAddress}/32`, 'dev', 'lo')
    // Every pod address answers here, and virtual IPs have a route, as they have on a node.
    ip('-n', name, 'route', 'add', 'local', '10.244.0.0/16', 'dev', 'lo')
    ip('-n', name, 'route', 'add', '10.96.0.0/12', 'dev', 'lo', 'src', nodeAddress)
  } catch (e) {
    ip('netns', 'del', name)
    throw e
  }
  const flags = ['--experimental-ffi', '--disable-warning=ExperimentalWarning']
  const program = [process.execPath, ...flags, join(import.meta.dirname, 'inside.ts')]
  const child = spawn('nsenter', [`--net=/run/netns/${name}`, '--', ...program], { stdio: ['ignore', 2, 2, 'ipc'], detached: true })
  const ended = once(child, 'exit')
  const close = async (): Promise<void> => {
    if (child.connected) child.disconnect()
    await ended
    ip('netns', 'del', name)
  }
  const answer = async (): Promise<unknown> => {
    const over = ended.then((): [Answer] => [{ kind: 'failed', why: 'the process in the namespace has ended' }])
    const [told] = (await Promise.race([once(child, 'message'), over])) as [Answer]
    if (told.kind === 'failed') throw new Error(told.why)
    return told.kind === 'done' ? told.value : undefined
  }
  try {
    await answer()
  } catch (e) {
    await close()
    throw e
  }
  return {
    async ask(work, options) {
      child.send({ work, options } satisfies Order)
      return (await answer()) as never
    },
    close,
  }
}

/** Mounts in plain folders: what is mounted is known, and gone when it is unmounted. */
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import type { Mounts } from './mounts.ts'

export interface FakeMounts extends Mounts {
  /** Mount points with their options, in the order of mounting. */
  readonly held: Map<string, { readonly mode: number; readonly bytes?: number }>
  /** The next so many unmountings fail, as where somebody still uses it. */
  busy: number
}

export function createFakeMounts(): FakeMounts {
  const held: FakeMounts['held'] = new Map()
  return {
    held,
    busy: 0,
    below: (path) => [...held.keys()].filter((point) => point === path || point.startsWith(`${path}/`)).toReversed(),
    async mountMemory(path, options, signal) {
      await Promise.resolve()
      signal.throwIfAborted()
      if (held.has(path)) throw new TypeError(`${path} is mounted already`)
      mkdirSync(path, { recursive: true })
      chmodSync(path, options.mode)
      held.set(path, options)
    },
    async unmount(path) {
      await Promise.resolve()
      if (!held.has(path)) throw new TypeError(`${path} is not mounted`)
      if (this.busy > 0) {
        this.busy--
        throw new TypeError(`${path} is busy`)
      }
      held.delete(path)
      rmSync(path, { recursive: true })
      mkdirSync(path)
    },
  }
}

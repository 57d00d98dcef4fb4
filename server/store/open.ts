/** Opens the store that the flags name. */
import { readFileSync } from 'node:fs'
import type { Clock } from '../../api/clock.ts'
import type { Log } from '../../api/log.ts'
import type { Seal } from '../seal/seal.ts'
import { StoreError } from './error.ts'
import { openSqliteStore } from './sqlite.ts'
import type { Store, WordsOf } from './store.ts'

/** PEM files beside the servers of etcd; or an SQLite file. */
export type StorePlace =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'etcd'; readonly servers: readonly string[]; readonly cafile?: string; readonly certfile?: string; readonly keyfile?: string }

export interface OpenDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly words: WordsOf
  readonly seal: Seal
  readonly onLost: (why: StoreError) => void
}

export interface OpenStore extends Store {
  /** Forgets old history; to be called from time to time. */
  compactOld(): Promise<void>
  /** Seals everything anew that the first key did not seal. @returns how many values those were */
  reseal(): Promise<number>
  /** What keeps it from being of use just now. */
  problem?(): string | undefined
  /** As that of the embedded store; etcd has its own. */
  snapshot?(file: string): Promise<void>
}

/** @throws StoreError STORE_BROKEN, STORE_LOST */
export async function openStore(place: StorePlace, deps: OpenDeps): Promise<OpenStore> {
  if (place.kind === 'sqlite') return openSqliteStore({ path: place.path, ...deps })
  const { servers, cafile, certfile, keyfile } = place
  const tls = { ca: read('--etcd-cafile', cafile), cert: read('--etcd-certfile', certfile), key: read('--etcd-keyfile', keyfile) }
  // With it comes all of gRPC, for which a hub alone has no use.
  const { openEtcdStore } = await import('./etcd/etcd.ts')
  return openEtcdStore({ servers, tls, ...deps })
}

function read(flag: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (e) {
    throw new StoreError('STORE_BROKEN', `${flag} ${file} cannot be read: ${(e as Error).message}`, { cause: e })
  }
}

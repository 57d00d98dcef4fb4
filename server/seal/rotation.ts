/** A new key for the secrets, and everything written anew with it. */
import type { KeyChange } from '../../api/hub.ts'
import type { Log } from '../../api/log.ts'
import { StatusError } from '../../api/status.ts'
import { addKey } from './key-file.ts'
import type { Seal } from './seal.ts'

export interface RotationDeps {
  readonly seal: Seal
  readonly store: { reseal(): Promise<number> }
  readonly log: Log
  readonly keys: RotatedKeys
}

/** The hub's own file; one that somebody else writes; or one of which every hub on the same etcd has a copy. */
export type RotatedKeys = { readonly kind: 'own'; readonly file: string } | { readonly kind: 'given' } | { readonly kind: 'shared' }

const waysOut = {
  given: 'put a new key first in the file of --encryption-provider-config and start the hub again: it seals everything anew',
  shared: 'put a new key second in the file of every hub and start each again; then put it first in all of them and start each again: they seal everything anew',
} as const

/** @returns the change of keys, one at a time. It throws StatusError MethodNotAllowed where the file is not the hub's own */
export function createRotation({ seal, store, log, keys: of }: RotationDeps): () => Promise<KeyChange> {
  let last: Promise<unknown> = Promise.resolve()
  const rotate = async (file: string): Promise<KeyChange> => {
    // On disk first: nothing is ever sealed with a key that a crash could take away.
    const keys = addKey(file)
    seal.use(keys)
    const key = keys.keys[0]!.name
    const rewritten = await store.reseal()
    log.info('secrets have a new key', { key, rewritten, file })
    return { key, rewritten }
  }
  return () => {
    if (of.kind !== 'own') return Promise.reject(new StatusError('MethodNotAllowed', `the file of keys is not this hub's alone: ${waysOut[of.kind]}`))
    const done = last.then(() => rotate(of.file))
    last = done.catch(() => undefined)
    return done
  }
}

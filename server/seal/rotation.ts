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
  /** The hub's own file of keys; absent where the file is somebody else's to write. */
  readonly keyFile?: string
}

/** @returns the change of keys, one at a time. It throws StatusError MethodNotAllowed where the file is not the hub's own */
export function createRotation({ seal, store, log, keyFile }: RotationDeps): () => Promise<KeyChange> {
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
    if (keyFile === undefined) {
      const wayOut = 'put a new key first in the file of --encryption-provider-config and start the hub again: it seals everything anew'
      return Promise.reject(new StatusError('MethodNotAllowed', `the file of keys is not the hub's own: ${wayOut}`))
    }
    const done = last.then(() => rotate(keyFile))
    last = done.catch(() => undefined)
    return done
  }
}

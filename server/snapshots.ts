/** Hands out a copy of what the hub stores, while it serves. */
import { randomUUID } from 'node:crypto'
import { createReadStream, rmSync } from 'node:fs'
import { join } from 'node:path'
import { StatusError } from '../api/status.ts'
import type { OpenStore } from './store/open.ts'

/**
 * The bytes of a copy that is made for this request and taken away after it.
 * @param folder where there is room for it
 * @throws StatusError MethodNotAllowed where the store is etcd's
 */
export async function* streamSnapshot(store: Pick<OpenStore, 'snapshot'>, folder: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (!store.snapshot) throw new StatusError('MethodNotAllowed', 'this hub keeps everything in etcd: make a snapshot with `etcdctl snapshot save FILE`')
  const file = join(folder, `snapshot-${randomUUID()}.db`)
  try {
    await store.snapshot(file)
    for await (const part of createReadStream(file, { signal })) yield part as Uint8Array
  } finally {
    rmSync(file, { force: true })
  }
}

/** Reads what etcd holds, as it was at the beginning of the history that is of use. */
import { StoreError } from '../error.ts'
import type { EtcdClient } from './client.ts'
import { root } from './layout.ts'
import type { KeyValue } from './messages.ts'

/** Objects in one answer. */
const page = 500
/** How often reading begins again, because another hub compacted meanwhile. */
const tries = 5

export interface Beginning {
  readonly clusterId: string
  /** The state of this revision; the history after it can be followed. */
  readonly revision: number
  /** The last one when reading began. */
  readonly newest: number
  readonly rows: readonly KeyValue[]
}

/**
 * @param longest at most so many revisions of history
 * @throws StoreError STORE_LOST, STORE_BROKEN
 */
export async function loadBeginning(client: EtcdClient, longest: number, signal: AbortSignal): Promise<Beginning> {
  for (let tried = 1; ; tried++) {
    try {
      const { header } = await client.range({ key: Buffer.from(root), limit: 1, countOnly: true })
      // In an etcd without any history there is nothing to forget, and nothing that a watch could tell.
      const kept = header.revision === 1 ? 0 : await compactedRevision(client, signal)
      // The first revision of an etcd, 1, is that of its emptiness.
      const revision = Math.max(1, kept, header.revision - longest)
      return { clusterId: header.clusterId, revision, newest: header.revision, rows: await readAll(client, revision) }
    } catch (e) {
      const again = e instanceof StoreError && e.code === 'STORE_COMPACTED' && tried < tries
      if (!again) throw e
    }
  }
}

/** Up to where history is forgotten. etcd says so only to a watch that asks for more than there is. */
async function compactedRevision(client: EtcdClient, signal: AbortSignal): Promise<number> {
  const done = new AbortController()
  let compacted: number | undefined
  const why = await client.watch(1, ({ created, canceled, compactRevision }) => {
    if (created && !canceled) return
    compacted = compactRevision
    done.abort()
  }, AbortSignal.any([signal, done.signal]))
  if (compacted === undefined) throw why
  return compacted
}

async function readAll(client: EtcdClient, revision: number): Promise<readonly KeyValue[]> {
  const rows: KeyValue[] = []
  for await (const row of pagesOf(client, root, revision)) rows.push(row)
  return rows
}

/** Everything in a folder, whose name ends in `/`, page by page: as it was at a revision, or each page as it is when it is read. */
export async function* pagesOf(client: Pick<EtcdClient, 'range'>, folder: string, revision?: number): AsyncGenerator<KeyValue> {
  // '0' is the character after '/'.
  const rangeEnd = Buffer.from(`${folder.slice(0, -1)}0`)
  let key = Buffer.from(folder)
  for (;;) {
    const { kvs, more } = await client.range({ key, rangeEnd, limit: page, ...(revision !== undefined && { revision }) })
    yield* kvs
    if (!more || kvs.length === 0) return
    key = Buffer.concat([kvs.at(-1)!.key, Buffer.from([0])])
  }
}

/** Writes the values of sealed kinds anew that the first key did not seal. Any number of hubs may do so at once. */
import type { Seal } from '../../seal/seal.ts'
import type { EtcdClient } from './client.ts'
import { folderOf, refOf, resealed, root } from './layout.ts'
import { pagesOf } from './load.ts'

/**
 * What somebody else writes meanwhile is sealed by then, and left alone.
 * @returns how many values were written
 * @throws StoreError STORE_LOST, STORE_BROKEN; SealError SEAL_BROKEN for what cannot be opened
 */
export async function resealAll(client: Pick<EtcdClient, 'range' | 'txn'>, seal: Seal): Promise<number> {
  let count = 0
  for (const resource of seal.prefix === '' ? [] : seal.resources) {
    for await (const { key, value, modRevision } of pagesOf(client, `${root}${folderOf(resource)}/`)) {
      const ref = refOf(key.toString())
      const anew = ref && resealed(seal, ref, value)
      if (!anew) continue
      const { succeeded } = await client.txn({ compare: [{ key, modRevision }], success: [{ put: { key, value: anew } }], failure: [] })
      if (succeeded) count++
    }
  }
  return count
}

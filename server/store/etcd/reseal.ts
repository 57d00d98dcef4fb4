/** Writes the values of sealed kinds anew that the first key did not seal. Any number of hubs may do so at once. */
import { SealError } from '../../seal/error.ts'
import type { Seal } from '../../seal/seal.ts'
import type { EtcdClient } from './client.ts'
import type { Ref } from '../store.ts'
import { folderOf, openedValue, refOf, resealed, root, sealedValue } from './layout.ts'
import { pagesOf } from './load.ts'

/**
 * What somebody else writes meanwhile is sealed by then, and left alone.
 * @returns how many values were written
 * @throws StoreError STORE_LOST, STORE_BROKEN; SealError SEAL_BROKEN for what cannot be opened, and where hubs have other keys
 */
export async function resealAll(client: Pick<EtcdClient, 'range' | 'txn'>, seal: Seal): Promise<number> {
  await agree(client, seal)
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

/** A value that says nothing, sealed like a secret. */
const proof = { key: Buffer.from('/wherry/seal'), text: '{}' } as const
const proofRef: Ref = { resource: 'secrets', namespace: '', name: '' }
/** Each time another hub was faster. */
const tries = 10

/**
 * Shows that this hub can open what the others seal, and they what it seals, before there is any secret: found out later, it would
 * end all hubs that cannot open it.
 */
async function agree(client: Pick<EtcdClient, 'range' | 'txn'>, seal: Seal): Promise<void> {
  const { key } = proof
  for (let tried = 0; tried < tries; tried++) {
    const [there] = (await client.range({ key })).kvs
    const anew = there ? provenAnew(seal, there.value) : sealedValue(seal, proofRef, proof.text)
    if (!anew) return
    const { succeeded } = await client.txn({ compare: [{ key, modRevision: there?.modRevision ?? 0 }], success: [{ put: { key, value: anew } }], failure: [] })
    if (succeeded) return
  }
  throw new SealError('SEAL_BROKEN', 'the hubs on this etcd seal secrets with one key after the other: give all of them the same file of keys')
}

function provenAnew(seal: Seal, value: Buffer): Buffer | undefined {
  try {
    openedValue(seal, proofRef, value)
    return resealed(seal, proofRef, value)
  } catch (e) {
    throw new SealError('SEAL_BROKEN', "the hubs on this etcd seal secrets with other keys: copy another hub's encryption.yaml, or what --encryption-provider-config names there", { cause: e })
  }
}

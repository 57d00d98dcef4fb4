/** One write: decide on what memory has, commit it if etcd still has the same, or else catch up and decide again. */
import type { KubeObject } from '../../../api/objects.ts'
import { isBuiltIn } from '../../../api/resources.ts'
import type { Seal } from '../../seal/seal.ts'
import { outcomeOf, type Outcome } from '../decide.ts'
import { outsideFence, StoreError } from '../error.ts'
import type { Decision, Fence, Ref, WordsOf } from '../store.ts'
import { taken, wordsMoved } from '../words.ts'
import type { Cache } from './cache.ts'
import type { EtcdClient } from './client.ts'
import { encodeObject, keyOf, refOf, wordKeyOf } from './layout.ts'
import type { KeyValue, RequestOp, TxnRequest, Unmoved } from './messages.ts'

export interface WriteDeps {
  readonly client: Pick<EtcdClient, 'txn'>
  readonly cache: Pick<Cache, 'tables' | 'reached' | 'follow'>
  readonly fresh: () => Promise<void>
  readonly words: WordsOf
  readonly seal: Seal
}

/** How often others may be faster. Each time somebody's write succeeded, so this is not reached by chance. */
const tries = 100

export interface Wish {
  readonly decide: (current: KubeObject | undefined) => Decision
  readonly fence: Fence | undefined
}

type Thought = Outcome | { readonly kind: 'thrown'; readonly reason: unknown }

/** @throws what `decide` throws; StoreError STORE_FENCED, STORE_TAKEN, STORE_LOST, STORE_TOO_LARGE, STORE_BROKEN */
export async function writeOnce(deps: WriteDeps, ref: Ref, wish: Wish): Promise<KubeObject | undefined> {
  const { client, cache } = deps
  const key = keyOf(ref)
  const followed = cache.follow(key)
  /** Memory is not older than the call. */
  let fresh = false
  /** What others held of the words of the last try. */
  let held: readonly KeyValue[] = []
  try {
    for (let tried = 0; tried < tries; tried++) {
      const current = cache.tables.get(ref)
      const thought = think(ref, current, wish.decide)
      if (thought.kind === 'keep' || thought.kind === 'thrown') {
        // No transaction will prove that this was decided on the newest state, so it is decided on one that is new enough.
        if (!fresh) await deps.fresh()
        else if (thought.kind === 'thrown') throw thought.reason
        else return current
        fresh = true
        continue
      }
      const answer = await client.txn(transaction(deps, { ref, key, current, thought, held, fence: wish.fence }))
      await cache.reached(answer.header.revision)
      if (answer.succeeded) return followed.at(answer.header.revision)!.object
      held = answer.ranges.flat()
      fresh = true
    }
  } finally {
    followed.stop()
  }
  throw new StoreError('STORE_LOST', `${key} is changed by others all the time; nothing was written`)
}

function think(ref: Ref, current: KubeObject | undefined, decide: Wish['decide']): Thought {
  try {
    return outcomeOf(ref, current, decide(current))
  } catch (reason) {
    return { kind: 'thrown', reason }
  }
}

interface Try {
  readonly ref: Ref
  readonly key: string
  readonly current: KubeObject | undefined
  readonly thought: Exclude<Outcome, { kind: 'keep' }>
  readonly held: readonly KeyValue[]
  readonly fence: Fence | undefined
}

/**
 * The object and its words change hands at once, if nothing has moved: not the object, not what the fence is about, not the
 * words, and for a new object not its namespace and not the definition of its kind, so that none is made where another hub has begun
 * the end of either.
 */
function transaction({ cache, words, seal }: WriteDeps, { ref, key, current, thought, held, fence }: Try): TxnRequest {
  const after = thought.kind === 'put' ? thought.object : undefined
  const moved = wordsMoved(words, ref.resource, [current, after])
  const compare = [unmoved(key, current)]
  if (fence) {
    const post = cache.tables.get(fence.ref)
    if (!fence.holds(post)) throw outsideFence(fence)
    compare.push(unmoved(keyOf(fence.ref), post))
  }
  if (!current && ref.namespace !== '') {
    const namespace: Ref = { resource: 'namespaces', namespace: '', name: ref.namespace }
    compare.push(unmoved(keyOf(namespace), cache.tables.get(namespace)))
  }
  if (!current && !isBuiltIn(ref.resource)) {
    const definition: Ref = { resource: 'customresourcedefinitions.apiextensions.k8s.io', namespace: '', name: ref.resource }
    compare.push(unmoved(keyOf(definition), cache.tables.get(definition)))
  }
  const success: RequestOp[] = [after ? { put: { key: Buffer.from(key), value: encodeObject(seal, ref, after) } } : { remove: { key: Buffer.from(key) } }]
  const failure: RequestOp[] = []
  for (const word of moved.taken) {
    const at = Buffer.from(wordKeyOf(word))
    const before = held.find((kv) => kv.key.equals(at))
    compare.push({ key: at, modRevision: before?.modRevision ?? 0 })
    if (before) compare.push(...abandoned(before, word, { cache, words }))
    success.push({ put: { key: at, value: Buffer.from(key) } })
    failure.push({ range: { key: at } })
  }
  for (const word of moved.given) success.push({ remove: { key: Buffer.from(wordKeyOf(word)) } })
  return { compare, success, failure }
}

/**
 * What must not move while a word is taken over from an object that has it no more, as happens when somebody deletes objects
 * in etcd by hand.
 * @throws StoreError STORE_TAKEN where it has it still
 */
function abandoned({ value }: KeyValue, word: string, { cache, words }: Pick<WriteDeps, 'cache' | 'words'>): readonly Unmoved[] {
  const holder = value.toString()
  const ref = refOf(holder)
  const object = ref && cache.tables.get(ref)
  if (object && words(ref.resource, object).includes(word)) throw taken(word, holder)
  return [unmoved(holder, object)]
}

function unmoved(key: string, object: KubeObject | undefined): Unmoved {
  return { key: Buffer.from(key), modRevision: Number(object?.metadata.resourceVersion ?? 0) }
}

/**
 * The ConfigMaps, Secrets and tokens that this node's pods name, read from a hub one by one. However many pods name an object,
 * it is asked for once, and not again while what is known is as new as the asker needs it.
 */
import type { Clock } from '../../api/clock.ts'
import { isWherryError } from '../../api/errors.ts'
import { leaving } from '../../api/leaving.ts'
import type { ConfigMap } from '../../api/objects.ts'
import { refusalIn, type HubApi } from '../link/hub-api.ts'

export interface ObjectName {
  readonly kind: 'ConfigMap' | 'Secret'
  readonly namespace: string
  readonly name: string
}

/** The values of an object, by key. */
export type ObjectData = ReadonlyMap<string, Value>

export interface Value {
  readonly bytes: Buffer
  /** From the `binaryData` of a ConfigMap: for files, not for variables. */
  readonly binary: boolean
}

/** core/v1 ServiceAccountTokenProjection, for one pod. */
export interface TokenWish {
  readonly namespace: string
  readonly account: string
  readonly pod: { readonly name: string; readonly uid: string }
  /** The hub itself where there is none. */
  readonly audience?: string
  readonly seconds: number
}

export interface Objects {
  /**
   * @param since ms since 1970: what was asked for earlier is asked for again. Where no hub answers, what was known last is given.
   * @returns undefined where there is no such object
   * @throws LinkError LINK_LOST (nothing is known and no hub answers), LINK_REFUSED; the signal's reason
   */
  find(name: ObjectName, since: number, signal: AbortSignal): Promise<ObjectData | undefined>
  /** A new token (authentication.k8s.io/v1 TokenRequest). @throws LinkError as `find` */
  token(wish: TokenWish, signal: AbortSignal): Promise<string>
  /** Forgets all others. */
  keepOnly(names: readonly ObjectName[]): void
}

export interface ObjectsDeps {
  readonly api: Pick<HubApi, 'ask'>
  readonly clock: Clock
  /** Ends what is under way. */
  readonly closing: AbortSignal
}

interface Known {
  /** When it was asked for. */
  readonly asked: number
  readonly data: ObjectData | undefined
}

interface Entry {
  known?: Known
  /** The question that is under way. */
  asking?: { readonly since: number; readonly answer: Promise<Known> }
}

/** After a question that no hub answered, what is known is given for so long (ms) without another one. */
const awayMs = 10_000

const keyOf = ({ kind, namespace, name }: ObjectName): string => `${kind} ${namespace}/${name}`

export function createObjects({ api, clock, closing }: ObjectsDeps): Objects {
  const entries = new Map<string, Entry>()
  let lostAt = -Infinity

  const fetch = async (name: ObjectName, since: number): Promise<Known> => {
    const plural = name.kind === 'ConfigMap' ? 'configmaps' : 'secrets'
    const answer = await api.ask({ path: `/api/v1/namespaces/${name.namespace}/${plural}/${encodeURIComponent(name.name)}` }, closing)
    if (answer.code === 404) return { asked: since, data: undefined }
    if (answer.code >= 300) throw refusalIn(answer)
    return { asked: since, data: dataOf(name.kind, answer.body as ConfigMap) }
  }
  /** All who come while it is under way share it. */
  const question = (entry: Entry, name: ObjectName): NonNullable<Entry['asking']> => {
    const since = clock.now()
    const answer = fetch(name, since)
      .then((known) => (entry.known = known))
      .finally(() => (entry.asking = undefined))
    return (entry.asking = { since, answer })
  }
  const fresh = async (entry: Entry, name: ObjectName, since: number): Promise<Known> => {
    // One that began too early tells nothing of what came after it.
    if (entry.asking && entry.asking.since < since) await entry.asking.answer.catch(() => undefined)
    if (entry.known && entry.known.asked >= since) return entry.known
    return (entry.asking ?? question(entry, name)).answer
  }

  return {
    async find(name, since, signal) {
      signal.throwIfAborted()
      const key = keyOf(name)
      const entry = entries.get(key) ?? {}
      entries.set(key, entry)
      if (entry.known && entry.known.asked >= since) return entry.known.data
      if (entry.known?.data && clock.now() < lostAt + awayMs) return entry.known.data
      try {
        return (await leaving(fresh(entry, name, since), signal)).data
      } catch (e) {
        signal.throwIfAborted()
        if (!isWherryError(e, 'LINK_LOST')) throw e
        lostAt = clock.now()
        if (entry.known?.data) return entry.known.data
        throw e
      }
    },
    async token({ namespace, account, pod, audience, seconds }, signal) {
      const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: pod.name, uid: pod.uid }
      const body = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: audience ? [audience] : [], expirationSeconds: seconds, boundObjectRef },
      }
      const answer = await api.ask({ path: `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, body }, signal)
      if (answer.code >= 300) throw refusalIn(answer)
      return (answer.body as { readonly status: { readonly token: string } }).status.token
    },
    keepOnly(names) {
      const kept = new Set(names.map(keyOf))
      for (const key of entries.keys()) if (!kept.has(key)) entries.delete(key)
    },
  }
}

/** Where a key is in both maps of a ConfigMap, which the API forbids, its text counts. */
function dataOf(kind: ObjectName['kind'], { data, binaryData }: Pick<ConfigMap, 'data' | 'binaryData'>): ObjectData {
  const values = (from: Readonly<Record<string, string>> | undefined, encoding: 'utf8' | 'base64', binary: boolean): [string, Value][] =>
    Object.entries(from ?? {}).map(([key, text]) => [key, { bytes: Buffer.from(text, encoding), binary }])
  if (kind === 'Secret') return new Map(values(data, 'base64', false))
  return new Map([...values(binaryData, 'base64', true), ...values(data, 'utf8', false)])
}

/** A hub's ConfigMaps, Secrets and tokens in memory. Tests change them, take the hub away, and see what it was asked. */
import { LinkError } from '../link/error.ts'
import type { ObjectData, ObjectName, Objects, TokenWish } from './objects.ts'

export interface FakeObjects extends Objects {
  /** Whether no hub answers. */
  away: boolean
  /** All questions in order: `ConfigMap default/web`, `token default/robot`. */
  readonly asked: readonly string[]
  put(kind: ObjectName['kind'], name: string, data: Readonly<Record<string, string>>): void
  remove(kind: ObjectName['kind'], name: string): void
}

/** Objects are in the namespace `default`. @param now ms since 1970 */
export function createFakeObjects(now: () => number): FakeObjects {
  const held = new Map<string, ObjectData>()
  const asked: string[] = []
  const ask = async (question: string, signal: AbortSignal, away: boolean): Promise<void> => {
    asked.push(question)
    await Promise.resolve()
    signal.throwIfAborted()
    if (away) throw new LinkError('LINK_LOST', 'no hub answers')
  }
  const keyOf = (kind: string, name: string): string => `${kind} default/${name}`
  return {
    away: false,
    asked,
    put: (kind, name, data) =>
      void held.set(keyOf(kind, name), new Map(Object.entries(data).map(([key, text]) => [key, { bytes: Buffer.from(text), binary: false }]))),
    remove: (kind, name) => void held.delete(keyOf(kind, name)),
    async find({ kind, namespace, name }, _since, signal) {
      await ask(`${kind} ${namespace}/${name}`, signal, this.away)
      return held.get(`${kind} ${namespace}/${name}`)
    },
    async token(wish: TokenWish, signal) {
      await ask(`token ${wish.namespace}/${wish.account}`, signal, this.away)
      const seconds = Math.floor(now() / 1000)
      const claims = { iat: seconds, exp: seconds + wish.seconds, n: asked.length }
      return ['{}', JSON.stringify(claims), 'signature'].map((part) => Buffer.from(part).toString('base64url')).join('.')
    },
    keepOnly: () => {},
  }
}

/**
 * Values as they lie on disk: those of some kinds are sealed with AES-256-GCM, all others are what they are. Every store passes
 * what it writes and reads through here. A sealed value names its key, and opens in its own place alone.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Resource } from '../../api/resources.ts'
import { SealError } from './error.ts'

/** The place of a value. */
export interface Place {
  readonly resource: Resource
  readonly namespace: string
  readonly name: string
}

export interface Key {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string
  /** 32 bytes. */
  readonly secret: Buffer
}

export interface Keys {
  /** The first one seals, all of them open. Without a key nothing is sealed. */
  readonly keys: readonly Key[]
  /** Whether values of sealed kinds that lie open on disk are read as well. */
  readonly plain: boolean
}

export interface Seal {
  /** The kinds whose values are sealed. */
  readonly resources: readonly Resource[]
  /** What a value of these kinds begins with that the first key sealed; '' where nothing is sealed. */
  readonly prefix: string
  seal(place: Place, text: string): string
  /** @throws SealError SEAL_BROKEN: the key is not there, or the value was changed or moved */
  open(place: Place, stored: string): string
  /** From now on with these. */
  use(keys: Keys): void
}

const head = 'k8s:enc:aesgcm:v1:'
const sealed = /^k8s:enc:aesgcm:v1:([a-z0-9-]+):([A-Za-z0-9+/=]+)$/
const [nonceBytes, tagBytes] = [12, 16]
const prefixOf = ({ keys: [first] }: Keys): string => (first ? `${head}${first.name}:` : '')

/** The sealed kinds: what people trust nobody with who reads the disk or a copy of it. */
const resources: readonly Resource[] = ['secrets']

export function createSeal(first: Keys): Seal {
  let held = first
  return {
    resources,
    get prefix() {
      return prefixOf(held)
    },
    seal(place, text) {
      const [key] = held.keys
      if (!key || !resources.includes(place.resource)) return text
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', key.secret, nonce).setAAD(boundTo(place))
      const body = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `${prefixOf(held)}${body.toString('base64')}`
    },
    open(place, stored) {
      if (!resources.includes(place.resource)) return stored
      if (stored.startsWith('{') && held.plain) return stored
      const [, name, body] = sealed.exec(stored) ?? []
      const key = held.keys.find((k) => k.name === name)
      if (body === undefined || !key) throw broken(place, name === undefined ? 'it is not sealed' : `the key ${name} is not in the file of keys`)
      return opened(place, key, Buffer.from(body, 'base64'))
    },
    use(keys) {
      held = keys
    },
  }
}

function opened(place: Place, key: Key, body: Buffer): string {
  try {
    const [nonce, tag] = [body.subarray(0, nonceBytes), body.subarray(-tagBytes)]
    const cipher = createDecipheriv('aes-256-gcm', key.secret, nonce, { authTagLength: tagBytes }).setAAD(boundTo(place)).setAuthTag(tag)
    return Buffer.concat([cipher.update(body.subarray(nonceBytes, -tagBytes)), cipher.final()]).toString('utf8')
  } catch (e) {
    throw broken(place, `the key ${key.name} does not open it: it was changed, or lay in another place`, e)
  }
}

/** So that nobody who can write the disk gives one secret the value of another. */
const boundTo = ({ resource, namespace, name }: Place): Buffer => Buffer.from(`/registry/${resource}/${namespace}/${name}`)

function broken({ resource, namespace, name }: Place, why: string, cause?: unknown): SealError {
  return new SealError('SEAL_BROKEN', `${resource} ${namespace}/${name} cannot be opened: ${why}`, { cause })
}

/** Nothing is sealed, and what lies open is read. */
export const openSeal = (): Seal => createSeal({ keys: [], plain: true })

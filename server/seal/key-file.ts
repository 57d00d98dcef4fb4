/**
 * The file of the keys: an EncryptionConfiguration (apiserver.config.k8s.io/v1) for secrets, with the provider `aesgcm` and, where
 * open values are read or written, `identity`. The provider that comes first writes.
 */
import { randomBytes } from 'node:crypto'
import { parse, stringify } from 'yaml'
import { readIfThere, writePrivateFile } from '../../api/private-file.ts'
import { SealError } from './error.ts'
import type { Key, Keys } from './seal.ts'

const keyName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** Reads the file. @throws SealError SETUP, naming file and field */
export function readKeys(path: string): Keys {
  const text = readIfThere(path)
  if (text === undefined) throw new SealError('SETUP', `${path} is not there: it must be an EncryptionConfiguration with the keys of the secrets`)
  return keysIn(text, path)
}

/** Reads the hub's own file, or makes it with one new key. @throws SealError SETUP */
export function openKeys(path: string): Keys {
  const text = readIfThere(path)
  if (text !== undefined) return keysIn(text, path)
  return write(path, { keys: [newKey([])], plain: true })
}

/** Puts a new key before the others, which still open what they sealed. */
export function addKey(path: string): Keys {
  const { keys, plain } = readKeys(path)
  return write(path, { keys: [newKey(keys), ...keys], plain })
}

function newKey(others: readonly Key[]): Key {
  const numbers = others.map(({ name }) => Number(/^key(\d+)$/.exec(name)?.[1] ?? 0))
  return { name: `key${Math.max(0, ...numbers) + 1}`, secret: randomBytes(32) }
}

function write(path: string, held: Keys): Keys {
  const keys = held.keys.map(({ name, secret }) => ({ name, secret: secret.toString('base64') }))
  const providers = [{ aesgcm: { keys } }, ...(held.plain ? [{ identity: {} }] : [])]
  writePrivateFile(path, stringify({ kind: 'EncryptionConfiguration', apiVersion: 'apiserver.config.k8s.io/v1', resources: [{ resources: ['secrets'], providers }] }))
  return held
}

type Plain = Readonly<Record<string, unknown>>
const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value)
const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

function keysIn(text: string, path: string): Keys {
  const wrong = (what: string, cause?: unknown): SealError => new SealError('SETUP', `${path} cannot be used: ${what}`, { cause })
  let config: unknown
  try {
    config = parse(text)
  } catch (e) {
    throw wrong('it is not YAML', e)
  }
  if (!isPlain(config) || config['kind'] !== 'EncryptionConfiguration') throw wrong('kind must be EncryptionConfiguration')
  const [entry, ...more] = listIn(config['resources'])
  if (!isPlain(entry) || more.length > 0) throw wrong('resources must be a list of one entry')
  const named = listIn(entry['resources'])
  if (named.length !== 1 || named[0] !== 'secrets') throw wrong('resources[0].resources must be [secrets]; other kinds are not sealed')
  const providers = listIn(entry['providers']).filter(isPlain)
  const known = providers.every((p) => Object.keys(p).every((name) => name === 'aesgcm' || name === 'identity'))
  if (providers.length === 0 || !known) throw wrong('resources[0].providers may have aesgcm and identity, and must have one of them')
  const keys = providers.flatMap((p) => (isPlain(p['aesgcm']) ? listIn(p['aesgcm']['keys']) : [])).map((key, i) => keyIn(key, (what) => wrong(`keys[${i}]${what}`)))
  if (new Set(keys.map((k) => k.name)).size < keys.length) throw wrong('two keys have the same name')
  const plain = providers.some((p) => 'identity' in p)
  if (keys.length > 0 && 'identity' in providers[0]!) throw wrong('identity comes first, so that secrets would lie open: put aesgcm before it, or leave aesgcm out')
  return { keys, plain }
}

function keyIn(key: unknown, wrong: (what: string) => SealError): Key {
  if (!isPlain(key) || typeof key['name'] !== 'string' || !keyName.test(key['name'])) throw wrong('.name must be lower-case letters, digits and hyphens')
  const secret = typeof key['secret'] === 'string' ? Buffer.from(key['secret'], 'base64') : Buffer.alloc(0)
  if (secret.length !== 32) throw wrong('.secret must be 32 bytes in base64, such as: head -c 32 /dev/urandom | base64')
  return { name: key['name'], secret }
}

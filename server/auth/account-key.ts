/**
 * The key by which the hub signs the tokens of service accounts: `sa.key`, and `sa.pub` with every key whose tokens still count.
 * To replace the key, remove `sa.key`: the next start makes another one and puts it before the old ones in `sa.pub`.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { join } from 'node:path'
import { makeKey } from './certificate.ts'
import { AuthError } from './error.ts'
import { keyId, type SignKey, type VerifyKey } from './jwt.ts'
import { readIfThere, writePrivateFile } from '../../api/private-file.ts'

export interface AccountKeys {
  readonly signing: SignKey
  /** The signing key's public half first. */
  readonly accepted: readonly VerifyKey[]
}

const block = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g

/** @throws AuthError SETUP where a file holds something else */
export function openAccountKeys(dir: string): AccountKeys {
  const [keyPath, publicPath] = [join(dir, 'sa.key'), join(dir, 'sa.pub')]
  let pem = readIfThere(keyPath)
  if (pem === undefined) writePrivateFile(keyPath, (pem = makeKey()))
  const signing = read(keyPath, () => {
    const privateKey = createPrivateKey(pem)
    if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new TypeError('it is no key on the curve P-256')
    const publicKey = createPublicKey(pem)
    return { id: keyId(publicKey), publicKey, privateKey }
  })
  const held = readIfThere(publicPath) ?? ''
  const known = read(publicPath, () => (held.match(block) ?? []).map((text) => createPublicKey(text)).map((publicKey) => ({ id: keyId(publicKey), publicKey })))
  const accepted = [signing, ...known.filter((k) => k.id !== signing.id)].map(({ id, publicKey }) => ({ id, publicKey }))
  const text = accepted.map((k) => String(k.publicKey.export({ type: 'spki', format: 'pem' }))).join('')
  if (text !== held) writePrivateFile(publicPath, text)
  return { signing, accepted }
}

function read<T>(path: string, parse: () => T): T {
  try {
    return parse()
  } catch (e) {
    const price = 'Remove it to get a new one: tokens that were signed before cease to count.'
    throw new AuthError('SETUP', `${path} cannot be used: ${(e as Error).message}. ${price}`, { cause: e })
  }
}

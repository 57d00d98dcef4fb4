/** The token by which a machine may join as a node: 6 characters that name it, a dot, 16 that are secret. */
import { createHash, randomInt, timingSafeEqual } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

import { AuthError } from './error.ts'
import { readIfThere, writePrivateFile } from '../../api/private-file.ts'

const format = /^[a-z0-9]{6}\.[a-z0-9]{16}$/
const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Reads the token's file, or makes it at the first start. @throws AuthError SETUP where the file holds something else */
export function openToken(path: string): string {
  const held = readIfThere(path)?.trim()
  if (held !== undefined) {
    if (format.test(held)) return held
    const form = '6 characters, a dot, 16 characters of a-z and 0-9'
    throw new AuthError('SETUP', `${path} holds no join token (${form}). Remove it to get a new one.`)
  }
  const token = `${draw(6)}.${draw(16)}`
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writePrivateFile(path, `${token}\n`)
  return token
}

function draw(length: number): string {
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join('')
}

/** Whether two tokens are the same, in a time that does not tell how much of them is. */
export function sameToken(a: string, b: string): boolean {
  const digest = (token: string): Buffer => createHash('sha256').update(token).digest()
  return timingSafeEqual(digest(a), digest(b))
}

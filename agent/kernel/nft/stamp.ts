/** What tells one state of the kernel's rules from every other. */
import { readFileSync } from 'node:fs'
import { isWherryError } from '../../../api/errors.ts'
import { namespaceNumber } from '../netlink.ts'
import { generationOf, type ReadDeps } from './read.ts'

/** The boot, the network namespace, and the generation of its rules; undefined where one of them cannot be told. */
export async function stampOf({ openTalk }: Pick<ReadDeps, 'openTalk'>): Promise<string | undefined> {
  try {
    const talk = await openTalk?.()
    if (!talk) return undefined
    try {
      const namespace = await namespaceNumber()
      return namespace === undefined ? undefined : [readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), namespace, generationOf(talk)].join(' ')
    } finally {
      talk.close()
    }
  } catch (e) {
    if (isWherryError(e)) return undefined
    throw e
  }
}

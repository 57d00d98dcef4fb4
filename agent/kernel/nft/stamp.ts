/** What tells one state of the kernel's rules from every other. */
import { readFileSync } from 'node:fs'
import { isWherryError } from '../../../api/errors.ts'
import { namespaceNumber, type NetlinkTalk } from '../netlink.ts'
import { generationOf, type ReadDeps } from './read.ts'

export interface Stamper {
  /** The boot, the network namespace, and the generation of its rules; undefined where one of them cannot be told. */
  stamp(): Promise<string | undefined>
  close(): void
}

/** Asked every second: what does not change is looked up once. */
export function createStamper({ openTalk }: Pick<ReadDeps, 'openTalk'>): Stamper {
  let talk: NetlinkTalk | undefined
  const open = async (): Promise<string | undefined> => {
    talk = await openTalk?.()
    const namespace = talk && (await namespaceNumber())
    return namespace === undefined ? undefined : `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${namespace}`
  }
  let place: Promise<string | undefined> | undefined
  return {
    async stamp() {
      try {
        const here = await (place ??= open())
        return here !== undefined && talk ? `${here} ${generationOf(talk)}` : undefined
      } catch (e) {
        if (isWherryError(e)) return undefined
        throw e
      }
    },
    close() {
      talk?.close()
      talk = undefined
    },
  }
}

/** The node's images, by way of `ctr`. */
import type { Ctr } from './ctr-command.ts'
import * as output from './ctr-output.ts'
import { RuntimeError } from './error.ts'
import { readImageConfig, type ImageConfig } from './image-config.ts'

export interface CtrImages {
  has(image: string, signal: AbortSignal): Promise<boolean>
  /** @throws RuntimeError IMAGE_PULL with the last thing that ctr said */
  pull(image: string, signal: AbortSignal): Promise<void>
  /** @throws RuntimeError IMAGE_ABSENT */
  config(image: string, signal: AbortSignal): Promise<ImageConfig>
}

const pullMs = 15 * 60_000

/** @param architecture as Go names it */
export function createCtrImages(ctr: Ctr, architecture: string): CtrImages {
  const configs = new Map<string, ImageConfig>()

  const digestOf = async (image: string, signal: AbortSignal): Promise<string | undefined> =>
    output.parseImageDigest(await ctr.ok(['images', 'ls', `name==${image}`], signal), image)

  return {
    has: async (image, signal) => (await digestOf(image, signal)) !== undefined,
    async pull(image, signal) {
      const { exitCode, stderr } = await ctr(['images', 'pull', image], signal, pullMs)
      if (exitCode !== 0) throw new RuntimeError('IMAGE_PULL', output.lastWords(stderr))
    },
    async config(image, signal) {
      const digest = await digestOf(image, signal)
      if (!digest) throw new RuntimeError('IMAGE_ABSENT', `the image ${image} is not on this node`)
      const known = configs.get(digest)
      if (known) return known
      const config = await readImageConfig(digest, architecture, (blob) => ctr.ok(['content', 'get', blob], signal))
      configs.set(digest, config)
      return config
    },
  }
}

/** Images: their full names, when to pull them, and one pull at a time for each. */
import { leaving } from '../../api/leaving.ts'
import type { Container } from '../../api/objects.ts'
import { PodError } from './error.ts'
import type { Runtime } from './runtime/runtime.ts'

export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never'

/** `nginx` is `docker.io/library/nginx:latest`, as the reference format of container registries has it. */
export function fullImageName(image: string): string {
  const slash = image.indexOf('/')
  const first = slash < 0 ? '' : image.slice(0, slash)
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost'
  const path = isHost ? image : `docker.io/${slash < 0 ? 'library/' : ''}${image}`
  const last = path.slice(path.lastIndexOf('/') + 1)
  return last.includes(':') || last.includes('@') ? path : `${path}:latest`
}

/** The image's name without tag and digest. */
export function repositoryOf(image: string): string {
  return fullImageName(image).replace(/@.*$/, '').replace(/:[^/:]*$/, '')
}

/** What the API's defaulting would have said: Always for the tag `latest`. */
export function pullPolicyOf(container: Container): PullPolicy {
  if (container.imagePullPolicy) return container.imagePullPolicy as PullPolicy
  return fullImageName(container.image ?? '').endsWith(':latest') ? 'Always' : 'IfNotPresent'
}

export interface Images {
  /**
   * Makes sure that the node has the image. @param onPull called before a pull begins
   * @returns whether it was pulled now. @throws PodError IMAGE_ABSENT under the policy Never, RuntimeError IMAGE_PULL
   */
  ensure(wish: { readonly image: string; readonly policy: PullPolicy }, onPull: () => void, signal: AbortSignal): Promise<boolean>
}

/** @param closing ends pulls; who waits for one may leave before, and the pull goes on for the others */
export function createImages(runtime: Runtime, closing: AbortSignal): Images {
  const pulls = new Map<string, Promise<void>>()

  function pull(image: string): Promise<void> {
    const running = pulls.get(image) ?? runtime.pullImage(image, closing).finally(() => pulls.delete(image))
    pulls.set(image, running)
    return running
  }

  return {
    async ensure({ image, policy }, onPull, signal) {
      const name = fullImageName(image)
      const present = policy !== 'Always' && (await runtime.hasImage(name, signal))
      if (present) return false
      if (policy === 'Never') {
        throw new PodError('IMAGE_ABSENT', `the image ${name} is not on this node and its pull policy is Never`)
      }
      onPull()
      await leaving(pull(name), signal)
      return true
    },
  }
}

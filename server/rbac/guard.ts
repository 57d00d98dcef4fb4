/** The registry as one user sees it: every write passes the checks of what this user may write into an object. */
import type { KubeObject } from '../../api/objects.ts'
import type { Subresource } from '../../api/resources.ts'
import type { User } from '../auth/auth.ts'
import type { ApplyOptions, Draft, Registry } from '../registry/registry.ts'
import type { Ref } from '../store/store.ts'

/** One write before it is done. */
export interface Intent {
  readonly verb: 'create' | 'update' | 'delete' | 'bind'
  readonly ref: Ref
  readonly subresource?: Subresource | undefined
  readonly current?: KubeObject | undefined
  /** Absent for delete and bind. */
  readonly draft?: Draft
}

/** Looks at a write, and may say what is to be written instead. @throws StatusError where the user may not write this */
export type Check = (user: User, intent: Intent) => Draft | undefined

/** @returns for each user the registry behind the checks; they run on every attempt, on the state that is to be changed */
export function createGuard(registry: Registry, checks: readonly Check[]): (user: User) => Registry {
  return (user) => {
    const checked = (intent: Intent & { readonly draft: Draft }): Draft =>
      checks.reduce((draft, check) => check(user, { ...intent, draft }) ?? draft, intent.draft)
    const look = (intent: Intent): void => {
      for (const check of checks) check(user, intent)
    }
    return {
      create: async (ref, draft, options) => registry.create(ref, checked({ verb: 'create', ref, draft }), options),
      update: (ref, change, options = {}) => {
        const { subresource } = options
        return registry.update(ref, (current) => checked({ verb: 'update', ref, subresource, current, draft: change(current) }), options)
      },
      apply: (ref, config, options) => {
        const { subresource } = options
        const check: NonNullable<ApplyOptions['check']> = (wish, current) => {
          const draft = options.check?.(wish, current) ?? wish
          return checked(current ? { verb: 'update', ref, subresource, current, draft } : { verb: 'create', ref, draft })
        }
        return registry.apply(ref, config, { ...options, check })
      },
      remove: async (ref, options) => {
        look({ verb: 'delete', ref })
        return registry.remove(ref, options)
      },
      bind: async (ref, node, options) => {
        look({ verb: 'bind', ref })
        return registry.bind(ref, node, options)
      },
    }
  }
}

/** The answer to each wish: what holds before any policy, what a node may, and what roles give, in this order. */
import type { User, Wish } from '../auth/auth.ts'
import { mayDo, type Verdict } from '../auth/authorize.ts'
import type { Policy } from './policy.ts'

export type Authorize = (user: User, wish: Wish) => Verdict

/** Somebody who knows some users, and says nothing of others. */
export type Opinion = (user: User, wish: Wish) => Verdict | undefined

/** The first who allows decides; where nobody does, the last who gave a reason says why. */
export function createAuthorizer(policy: Pick<Policy, 'allows'>, others: readonly Opinion[] = []): Authorize {
  return (user, wish) => {
    let why = ''
    for (const ask of [mayDo, ...others, policy.allows]) {
      const verdict = ask(user, wish)
      if (verdict?.allowed) return verdict
      why = verdict?.why || why
    }
    return { allowed: false, why }
  }
}

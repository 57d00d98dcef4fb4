/** Conditions (of nodes and pods) have several writers: each replaces its own and leaves the others. Pure. */

interface Conditioned {
  readonly conditions?: readonly { readonly type: string }[] | undefined
}

/** The told status, with those conditions of the current one that it does not name. */
export function withConditions<T extends Conditioned>(told: T, current: Conditioned | undefined): T {
  const named = new Set(told.conditions?.map((c) => c.type))
  const others = current?.conditions?.filter((c) => !named.has(c.type)) ?? []
  return others.length === 0 ? told : { ...told, conditions: [...(told.conditions ?? []), ...others] }
}

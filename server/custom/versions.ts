/** The order of versions: `v2` before `v1`, before `v1beta2`, before `v1alpha1`, before words of any other form, which go by the alphabet. */
export function byPriority(a: string, b: string): number {
  const [left, right] = [rankOf(a), rankOf(b)]
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : a > b ? 1 : 0
  return right.stage - left.stage || right.major - left.major || right.minor - left.minor
}

const stages: Readonly<Record<string, number>> = { alpha: 0, beta: 1 }

function rankOf(version: string): { readonly stage: number; readonly major: number; readonly minor: number } | undefined {
  const at = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
  return at ? { stage: at[2] === undefined ? 2 : stages[at[2]]!, major: Number(at[1]), minor: Number(at[3] ?? 0) } : undefined
}

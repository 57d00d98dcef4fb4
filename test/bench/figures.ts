/** Quantiles of a series, rounded to microseconds: the value below which that share of the series lies (nearest rank). */
export function quantiles(values: readonly number[]): { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]! * 1000) / 1000
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

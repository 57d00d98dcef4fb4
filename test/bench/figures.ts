/** Figures: what was measured, of how many services, and whether it is what was wanted. */

export interface Figure {
  readonly name: string
  /** How many services there were, of three endpoints each. */
  readonly services: number
  /** Undefined where it could not be measured; `note` says why. */
  readonly value: number | undefined
  readonly unit: string
  readonly target?: Target
  /** Absent where there is no target, or no value. */
  readonly met?: boolean
  readonly note?: string
  /** What the value was made from. */
  readonly detail?: unknown
}

export type Target = { readonly atMost: number } | { readonly atLeast: number }

export type Measured = Pick<Figure, 'name' | 'services' | 'value' | 'unit' | 'note' | 'detail'>

/** A figure beside what is wanted of it. */
export function judge(measured: Measured, target?: Target): Figure {
  const { value } = measured
  const rounded = value === undefined ? undefined : Math.round(value * 1_000) / 1_000
  if (!target) return { ...measured, value: rounded }
  if (rounded === undefined) return { ...measured, value: rounded, target }
  return { ...measured, value: rounded, target, met: 'atMost' in target ? rounded <= target.atMost : rounded >= target.atLeast }
}

/** Quantiles of a series, rounded to a hundred-thousandth: the value below which that share of the series lies (nearest rank). */
export function quantiles(values: readonly number[]): { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]! * 1e5) / 1e5
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

/** Lines of a table for people: `name  services  value  target  met`. */
export function tableOf(figures: readonly Figure[]): string {
  const head = ['figure', 'services', 'value', 'target', 'met', '']
  const rows = figures.map(({ name, services, value, unit, target, met, note = '' }) => [
    name,
    services.toLocaleString('en'),
    value === undefined ? '-' : `${value.toLocaleString('en')} ${unit}`.trim(),
    target === undefined ? '' : 'atMost' in target ? `<= ${target.atMost.toLocaleString('en')}` : `>= ${target.atLeast.toLocaleString('en')}`,
    met === undefined ? '' : met ? 'yes' : 'NO',
    note,
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)))
  const isNumber = (column: number): boolean => column >= 1 && column <= 3
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (isNumber(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join('  ').trimEnd()
  return [head, ...rows].map(line).join('\n')
}

/**
 * Resource quantities (apimachinery `resource.Quantity`): `2`, `0.5`, `250m`, `64Mi`, `1e3`. A result finer than a thousandth is
 * rounded away from zero, as Kubernetes rounds what it cannot hold.
 */
import { badRequest } from './status.ts'

/** An amount in thousandths of the resource's own unit (a core, a byte, a pod). */
export interface Quantity {
  readonly milli: bigint
}

/** Longer texts are no quantities that anybody means. */
const maxLength = 64
/** Amounts are below 2^63, as in Kubernetes. */
const maxUnits = 2n ** 63n - 1n

const form = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?$/

/** What one of a suffix is worth, as a fraction: [numerator, denominator]. */
const suffixes: Readonly<Record<string, readonly [bigint, bigint]>> = {
  n: [1n, 10n ** 9n],
  u: [1n, 10n ** 6n],
  m: [1n, 10n ** 3n],
  ...Object.fromEntries(['k', 'M', 'G', 'T', 'P', 'E'].map((s, i) => [s, [10n ** BigInt(3 * (i + 1)), 1n] as const])),
  ...Object.fromEntries(['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((s, i) => [s, [2n ** BigInt(10 * (i + 1)), 1n] as const])),
}

/**
 * Reads a quantity; a number stands for its decimal text.
 * @throws StatusError BadRequest
 */
export function parseQuantity(value: string | number): Quantity {
  const text = String(value)
  const [, sign, digits, suffix = ''] = (text.length <= maxLength && form.exec(text)) || []
  if (digits === undefined) {
    throw badRequest(
      `quantity ${JSON.stringify(text.slice(0, maxLength))} must be a number with at most one suffix, ` +
        'such as 2, 0.5, 250m, 64Mi, 1G or 1e3',
    )
  }
  const [whole = '', fraction = ''] = digits.split('.')
  const [num, den] = worth(suffix, text)
  const milli = ceilDivide(BigInt(`0${whole}${fraction}`) * num * 1000n, den * 10n ** BigInt(fraction.length))
  if (milli > maxUnits * 1000n) throw badRequest(`quantity ${JSON.stringify(text)} is too large: the most is ${maxUnits}`)
  return { milli: sign === '-' ? -milli : milli }
}

function worth(suffix: string, text: string): readonly [bigint, bigint] {
  if (suffix === '') return [1n, 1n]
  const known = suffixes[suffix]
  if (known) return known
  const exponent = Number(suffix.slice(1))
  // Beyond these bounds every amount is too large, or rounds to the smallest one.
  if (exponent > 100) throw badRequest(`quantity ${JSON.stringify(text)} is too large: the most is ${maxUnits}`)
  return exponent >= 0 ? [10n ** BigInt(exponent), 1n] : [1n, 10n ** BigInt(Math.min(100, -exponent))]
}

function ceilDivide(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b
}

/** Thousandths of a core. @throws StatusError BadRequest */
export function cpuMillis(value: string | number): number {
  return Number(parseQuantity(value).milli)
}

/** Bytes, or any other resource counted in whole units, rounded up. @throws StatusError BadRequest */
export function bytes(value: string | number): number {
  const { milli } = parseQuantity(value)
  return Number(milli < 0n ? -ceilDivide(-milli, 1000n) : ceilDivide(milli, 1000n))
}

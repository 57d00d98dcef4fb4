/** Amounts as the Kubernetes API writes them: `100m`, `64Mi`, `1.5`, `2e3` (apimachinery: resource.Quantity). */
import { PodError } from './error.ts'

const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** @returns the amount in base units. @throws PodError CONTAINER_CONFIG */
export function parseQuantity(text: string | number): number {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(String(text).trim())
  if (!match) throw new PodError('CONTAINER_CONFIG', `${text} is not an amount; write it like 250m, 1.5 or 64Mi`)
  const [, number, exponent, suffix] = match
  return Number(number) * (exponent === undefined ? suffixes[suffix ?? '']! : 10 ** Number(exponent))
}

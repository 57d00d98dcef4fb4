/** Checks of resource quantities: `resources` of containers, `capacity` of nodes. */
import { labelKeyProblem } from '../../../api/labels.ts'
import type { Container } from '../../../api/objects.ts'
import { parseQuantity } from '../../../api/quantity.ts'
import { StatusError } from '../../../api/status.ts'
import { wrong, type Causes } from '../causes.ts'
import { text } from './meta.ts'

type Amounts = Readonly<Record<string, string | number>>

/** A map of quantities by resource name; none is negative. */
export function* validateAmounts(field: string, amounts: Amounts | undefined): Causes {
  for (const [name, amount] of Object.entries(amounts ?? {})) {
    const at = `${field}[${name}]`
    yield* text(at, name, labelKeyProblem)
    const read = readAmount(amount)
    if (typeof read === 'string') yield wrong(at, amount, read)
    else if (read < 0n) yield wrong(at, amount, 'must be greater than or equal to 0')
  }
}

/** Thousandths, or why there are none. */
export function readAmount(amount: string | number): bigint | string {
  try {
    return parseQuantity(amount).milli
  } catch (e) {
    if (e instanceof StatusError) return e.message
    throw e
  }
}

/** core/v1 ResourceRequirements: what is requested must be allowed by what is limited. */
export function* validateResources(field: string, resources: NonNullable<Container['resources']>): Causes {
  const { limits = {}, requests = {} } = resources
  yield* validateAmounts(`${field}.limits`, limits)
  yield* validateAmounts(`${field}.requests`, requests)
  for (const [name, amount] of Object.entries(requests)) {
    const limit = Object.hasOwn(limits, name) ? limits[name] : undefined
    if (limit === undefined) continue
    const [asked, allowed] = [readAmount(amount), readAmount(limit)]
    if (typeof asked === 'bigint' && typeof allowed === 'bigint' && asked > allowed) {
      yield wrong(`${field}.requests`, amount, `must be less than or equal to ${name} limit of ${limit}`)
    }
  }
}

/** Counts that are not negative, where they are given. */
export function* atLeastZero<S extends object>(field: string, of: S, names: readonly (keyof S & string)[]): Causes {
  for (const name of names) {
    const value = of[name]
    if (typeof value === 'number' && value < 0) yield wrong(`${field}.${name}`, value, 'must be greater than or equal to 0')
  }
}

/** A count, or a share of one in percent. @param most percent */
export function* validateShare(field: string, value: number | string, most: number): Causes {
  if (typeof value === 'number') {
    if (value < 0) yield wrong(field, value, 'must be greater than or equal to 0')
  } else if (!/^\d{1,9}%$/.test(value)) yield wrong(field, value, "must be a whole number or a percentage (such as 1 or '25%')")
  else if (Number.parseInt(value, 10) > most) yield wrong(field, value, `must not be greater than ${most}%`)
}

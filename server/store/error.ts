import { WherryError, type ErrorCode } from '../../api/errors.ts'
import type { Fence } from './store.ts'

/** What goes wrong in the store itself; what a `decide` throws passes through as it is. */
export class StoreError extends WherryError {
  constructor(code: Extract<ErrorCode, `STORE_${string}`>, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** What a watch hears that begins before the kept history. */
export function forgotten(from: number, compacted: number): StoreError {
  return new StoreError('STORE_COMPACTED', `changes after revision ${from} are forgotten; those after ${compacted} are kept`)
}

/** What a writer hears that may write no more. */
export function outsideFence({ ref }: Fence): StoreError {
  return new StoreError('STORE_FENCED', `${ref.resource} ${ref.namespace}/${ref.name} is not as this write needs it; nothing was written`)
}

import { WherryError, type ErrorCode } from '../../api/errors.ts'

/** What goes wrong in the store itself; what a `decide` throws passes through as it is. */
export class StoreError extends WherryError {
  constructor(code: Extract<ErrorCode, `STORE_${string}`>, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

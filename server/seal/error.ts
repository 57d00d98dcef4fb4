import { WherryError, type ErrorCode } from '../../api/errors.ts'

/** What keeps the hub from sealing or opening values. */
export class SealError extends WherryError {
  constructor(code: Extract<ErrorCode, 'SETUP' | 'SEAL_BROKEN'>, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

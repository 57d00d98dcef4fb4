import { WherryError, type ErrorCode } from '../../api/errors.ts'

/** What keeps the hub from having its certificates and its token. What is wrong with a request is a StatusError. */
export class AuthError extends WherryError {
  constructor(code: Extract<ErrorCode, 'SETUP' | 'USAGE'>, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

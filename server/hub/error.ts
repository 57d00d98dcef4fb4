import { WherryError, type ErrorCode } from '../../api/errors.ts'

/** What goes wrong between the hub and an agent. */
export class HubError extends WherryError {
  constructor(code: Extract<ErrorCode, `LINK_${string}`>, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

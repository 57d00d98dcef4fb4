import { WherryError, type ErrorCode } from '../../api/errors.ts'

/** Why a connection to the hub ended, or could not be made. */
export class LinkError extends WherryError {
  constructor(code: Extract<ErrorCode, `LINK_${string}` | `FRAME_${string}`>, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

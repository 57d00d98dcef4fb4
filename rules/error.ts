import type { ErrorCode } from '../api/errors.ts'

/** The error class of the room: `RULES_UNREADABLE` or `RULES_MISUSED`. It stands alone because this room imports types only. */
export class RulesError extends Error {
  readonly code: ErrorCode

  constructor(code: Extract<ErrorCode, `RULES_${string}`>, message: string) {
    super(message)
    this.name = 'RulesError'
    this.code = code
  }
}

/** The one error class of this room: what happened, and what to do about it. */
import { type ErrorCode, isWherryError, WherryError } from '../api/errors.ts'

/** An error for a person at a terminal. `message` is one line that says what happened, `advice` one line that says what to do. */
export class CliError extends WherryError {
  readonly advice: string

  constructor(code: ErrorCode, message: string, advice: string, options?: ErrorOptions) {
    super(code, message, options)
    this.advice = advice
  }
}

/** What `$?` tells: 1 something failed, 2 the command was not used as it should be, 3 the machine lacks something. */
export function exitCodeOf(error: unknown): number {
  if (!isWherryError(error)) return 1
  if (error.code === 'USAGE') return 2
  return error.code === 'SETUP' ? 3 : 1
}

/** The two lines that a person reads. An error without advice is a fault of ours, and says so. */
export function describeError(error: unknown): string {
  const message = oneLine(error instanceof Error ? error.message : String(error))
  const advice =
    error instanceof CliError
      ? oneLine(error.advice)
      : 'this is a fault of wherry itself: run the command again with WHERRY_DEBUG=1 for the whole story'
  return `wherry: ${message}\n        ${advice}\n`
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, '; ')
}

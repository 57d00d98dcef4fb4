/** The one error class of this room: a check that did not hold, or ground that could not be made. */
import { WherryError } from '../../api/errors.ts'

export class CheckError extends WherryError {
  constructor(message: string, options?: ErrorOptions) {
    super('EXEC_FAILED', message, options)
  }
}

/** @throws CheckError saying what was found where the condition does not hold */
export function must(condition: boolean, found: string): asserts condition {
  if (!condition) throw new CheckError(found)
}

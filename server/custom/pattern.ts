/**
 * The patterns of schemas, each read once. They are written for RE2, which takes time in proportion to the text; JavaScript's own
 * engine knows other words, and for some patterns takes for ever.
 */
import { RE2JS, RE2JSException } from 're2js'

/** Steps of a pattern's program times characters of a text that are looked at: some seconds of work. */
const maxWork = 20_000_000

export interface Patterns {
  /** Whether the pattern is found in the text; undefined where it is no pattern, or the text too long for it. */
  matches(pattern: string, text: string): boolean | undefined
}

/** What is read is kept as long as these are. */
export function createPatterns(): Patterns {
  const known = new Map<string, RE2JS | undefined>()
  return {
    matches(source, text) {
      if (!known.has(source)) known.set(source, readPattern(source))
      const pattern = known.get(source)
      if (!pattern || pattern.programSize() * (text.length + 1) > maxWork) return undefined
      return pattern.test(text)
    },
  }
}

export const isPattern = (text: string): boolean => readPattern(text) !== undefined

function readPattern(text: string): RE2JS | undefined {
  try {
    return RE2JS.compile(text)
  } catch (e) {
    if (e instanceof RE2JSException) return undefined
    throw e
  }
}

/** The patterns of schemas, each read once. */
import { finds, readPattern, type Automaton } from './automaton.ts'

export interface Patterns {
  /** Whether the pattern is found in the text; undefined where it is no pattern, or the text too long for it. */
  matches(pattern: string, text: string): boolean | undefined
}

/** What is read is kept as long as these are. */
export function createPatterns(): Patterns {
  const known = new Map<string, Automaton | undefined>()
  return {
    matches(source, text) {
      if (!known.has(source)) known.set(source, readPattern(source))
      const pattern = known.get(source)
      return pattern && finds(pattern, text)
    },
  }
}

/** The lines that a long command prints: one for each step, with its time. */

export interface Steps {
  /**
   * Does one step and prints its line when it is over. What `act` resolves with, if it is a string, is printed as detail.
   * On failure the line has a cross and the error goes on to the caller.
   */
  step<T>(label: string, act: () => Promise<T>): Promise<T>
  /** A plain line. */
  say(line: string): void
}

export interface StepsOptions {
  readonly write: (text: string) => void
  readonly now: () => number
  readonly colour: boolean
}

export function createSteps(options: StepsOptions): Steps {
  const { write, now } = options
  const paint = (code: number, text: string): string => (options.colour ? `\u001B[${code}m${text}\u001B[0m` : text)
  return {
    async step(label, act) {
      const begin = now()
      const line = (mark: string, detail: string): void =>
        write(`  ${mark} ${label}${detail && `: ${detail}`} ${paint(2, `(${seconds(now() - begin)})`)}\n`)
      try {
        const result = await act()
        line(paint(32, '✓'), typeof result === 'string' ? result : '')
        return result
      } catch (error) {
        line(paint(31, '✗'), '')
        throw error
      }
    },
    say: (line) => write(`${line}\n`),
  }
}

/** `0.4 s`, `12.0 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

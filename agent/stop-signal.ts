/**
 * Calls once at the first SIGTERM or SIGINT. The listeners stay: while programs run, execa's own ends the process at a signal for
 * which nobody else listens any more.
 */
export function onStopSignal(end: () => void): void {
  let isTold = false
  const tell = (): void => {
    if (isTold) return
    isTold = true
    end()
  }
  process.on('SIGTERM', tell)
  process.on('SIGINT', tell)
}

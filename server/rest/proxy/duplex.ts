/** An exchange with a node as a stream, for what wants a connection. */
import { Duplex } from 'node:stream'
import type { Exchange } from '../../hub/exchanges.ts'

/** Ends as the exchange does; destroying it cancels the exchange. */
export function duplexOf(exchange: Exchange): Duplex {
  const parts = exchange.parts[Symbol.asyncIterator]()
  let reading = false
  return new Duplex({
    read() {
      if (reading) return
      reading = true
      parts.next().then(
        ({ done, value }) => {
          reading = false
          if (done) this.push(null)
          else if (value.kind === 'out') this.push(value.bytes)
          else this.read()
        },
        (e: unknown) => this.destroy(e as Error),
      )
    },
    write(bytes: Buffer, _, taken) {
      exchange.write(bytes).then(() => taken(), taken)
    },
    final(done) {
      exchange.endInput()
      done()
    },
    destroy(e, done) {
      exchange.cancel()
      done(e)
    },
  })
}

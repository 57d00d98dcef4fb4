/** Handlers for every question of a hub that have nothing to say, and a server's sight of agents when there are none. */
import type { CallHandlers } from '../../agent/link/link.ts'
import { PodError } from '../../agent/pods/error.ts'
import type { Forwards } from '../../agent/pods/forward/forwards.ts'
import { unreachable } from '../../server/hub/exchanges.ts'
import type { Sessions } from '../../server/hub/sessions.ts'

const nothing = (): AsyncIterable<Uint8Array> => ReadableStream.from<Uint8Array>([])

export const noCalls: CallHandlers = { rules: nothing, logs: nothing, attach: nothing, exec: nothing, forward: nothing }

export const noForwards: Forwards = {
  connect: () => Promise.reject(new PodError('CONNECT_FAILED', 'there is nothing to connect to')),
  close: () => Promise.resolve(),
}

export const noSessions: Sessions = {
  nodes: () => [],
  usage: () => undefined,
  podLoad: () => undefined,
  open(node) {
    throw unreachable(node)
  },
  // oxlint-disable-next-line require-yield
  async *call() {},
}

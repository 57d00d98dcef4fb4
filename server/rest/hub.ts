/** The hub's own paths (api/hub.ts), answered by handlers that are handed in. */
import { badRequest } from '../../api/status.ts'
import { asObject, readBody } from './body.ts'
import type { Call, HubHandlers } from './call.ts'
import { sendStream } from './logs.ts'
import { nothingHere, sendValue } from './reply.ts'

function handlers({ deps }: Call): HubHandlers {
  if (!deps.hub) throw nothingHere()
  return deps.hub
}

export function hubStatus(call: Call): void {
  sendValue(call, handlers(call).status())
}

/** The answer is a file of SQLite's. */
export async function hubSnapshot(call: Call): Promise<void> {
  await sendStream(call, handlers(call).snapshot(call.signal), 'application/vnd.sqlite3')
}

/** The answer is text, as the node's own tool prints it. */
export async function hubRules(call: Call, node: string): Promise<void> {
  await sendStream(call, handlers(call).rules(node, call.signal))
}

export async function hubSecrets(call: Call): Promise<void> {
  const hub = handlers(call)
  if (!hub.rotateSecrets) throw nothingHere()
  sendValue(call, await hub.rotateSecrets())
}

export async function hubJoin(call: Call): Promise<void> {
  const hub = handlers(call)
  const { node, token, csr } = asObject(await readBody(call.req), 'a JoinRequest')
  for (const [field, value] of Object.entries({ node, token, csr })) {
    if (typeof value !== 'string' || value === '') throw badRequest(`${field} must be a string that is not empty`)
  }
  sendValue(call, await hub.join({ node: node as string, token: token as string, csr: csr as string }))
}

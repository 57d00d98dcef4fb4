/** What a person asks `wherry explain` about. Pure. */
import { canonicalAddress, familyOf, isPort } from '../../rules/address.ts'
import { CliError } from '../error.ts'

export type Target =
  | { readonly kind: 'service'; readonly namespace?: string; readonly name: string }
  | { readonly kind: 'address'; readonly address: string; readonly port?: number }
  | { readonly kind: 'node-port'; readonly port: number }

const examples = 'give a service (web, default/web), an address (10.96.0.10, 10.96.0.10:80, [fd00::1]:80) or a node port (30080)'
const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
const servicePattern = new RegExp(`^(?:(${label})/)?(${label})$`)

/** @throws CliError USAGE for a text that is none of these */
export function readTarget(text: string): Target {
  const [, nodePort] = /^:?(\d{1,5})$/.exec(text) ?? []
  if (nodePort !== undefined) return { kind: 'node-port', port: portOf(nodePort, text) }
  const socket = /^(\d+\.\d+\.\d+\.\d+)(?::(\d+))?$/.exec(text) ?? /^\[([\da-f:.]+)\](?::(\d+))?$/i.exec(text)
  const [address, port] = socket ? [socket[1]!, socket[2]] : [text, undefined]
  const known = canonicalAddress(familyOf(address), address)
  if (known !== undefined) return { kind: 'address', address: known, ...(port !== undefined && { port: portOf(port, text) }) }
  const [, namespace, , name] = servicePattern.exec(text) ?? []
  if (name === undefined) throw new CliError('USAGE', `"${text}" is neither a service nor an address`, examples)
  return { kind: 'service', ...(namespace !== undefined && { namespace }), name }
}

function portOf(digits: string, text: string): number {
  if (isPort(Number(digits))) return Number(digits)
  throw new CliError('USAGE', `"${text}": ports go from 1 to 65535`, examples)
}

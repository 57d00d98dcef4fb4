/** The words from which rules are put together, in the form and order in which iptables-save prints them. */
import { allAddresses } from '../address.ts'
import type { Family, NodeConfig, Protocol } from '../model.ts'

const lengths: Readonly<Record<Family, string>> = { ip: '/32', ip6: '/128' }

/** An address or range behind `-s` or `-d`, with a blank at the end; `` for every address, which is not printed. */
export function addressWords(flag: '-s' | '-d', family: Family, cidr: string): string {
  if (cidr === allAddresses[family]) return ''
  return `${flag} ${cidr}${cidr.includes('/') ? '' : lengths[family]} `
}

/** `-p tcp -m tcp --dport 80 `, or with a range of ports. */
export function portWords(protocol: Protocol, port: number, last: number = port): string {
  return `-p ${protocol} -m ${protocol} --dport ${port}${last === port ? '' : `:${last}`} `
}

export function commentWords(text: string): string {
  return `-m comment --comment "${text}" `
}

export const sourceIsLocal = '-m addrtype --src-type LOCAL '
export const destinationIsLocal = '-m addrtype --dst-type LOCAL '
export const translated = '-m conntrack --ctstate DNAT '

function bit({ masqueradeBit }: NodeConfig): string {
  return `0x${(2 ** masqueradeBit).toString(16)}`
}

export function markedWords(config: NodeConfig): string {
  return `-m mark --mark ${bit(config)}/${bit(config)} `
}

/** Asks for masquerade. */
export function setMark(config: NodeConfig): string {
  return `-j MARK --set-xmark ${bit(config)}/${bit(config)}`
}

/** Takes the wish back: the mark must not outlive the packet's way through this node. */
export function clearMark(config: NodeConfig): string {
  return `-j MARK --set-xmark ${bit(config)}/0x0`
}

export function reject(family: Family): string {
  return `-j REJECT --reject-with ${family === 'ip' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'}`
}

export const masquerade = '-j MASQUERADE --random-fully'

/** `10.244.0.2:8080`, `[fd00::2]:8080` */
export function endpointText({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** One of so many, by chance; the kernel counts in units of 2^-31. `` for one of one. */
export function chanceWords(count: number): string {
  if (count === 1) return ''
  const value = Math.round(2 ** 31 / count) / 2 ** 31
  return `-m statistic --mode random --probability ${value.toFixed(11)} `
}

const wholeAddress: Readonly<Record<Family, string>> = { ip: '255.255.255.255', ip6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' }

/** Whether the client is on the list and not for too long; then its time begins anew. Others whose time is over are forgotten. */
export function recallWords(family: Family, list: string, seconds: number): string {
  return `-m recent --update --seconds ${seconds} --reap --name ${list} --mask ${wholeAddress[family]} --rsource `
}

/** Puts the client on the list. Always true. */
export function rememberWords(family: Family, list: string): string {
  return `-m recent --set --name ${list} --mask ${wholeAddress[family]} --rsource `
}

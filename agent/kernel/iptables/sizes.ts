/**
 * How large the tables of the older iptables are (ip_tables, linux/netfilter_ipv4/ip_tables.h), through Node's foreign function
 * interface: some microseconds, where listing 50,000 rules takes a fifth of a second of processor time. The kernel tells nobody
 * of changes there; a chain that was emptied or deleted, and a jump that is gone, show in the size.
 */
import { closeSync } from 'node:fs'
import type { Family } from '../../../rules/model.ts'
import { KernelError } from '../errors.ts'

export interface TableSizes {
  /** Of `filter` and `nat`, as text: another one when rules came or went. */
  sizes(): string
  close(): void
}

/** Of sys/socket.h, netinet/in.h and the headers of both families, which agree. */
const c = { raw: 3, closeOnExec: 0o2000000, rawProtocol: 255, getInfo: 64 } as const
const levels: Readonly<Record<Family, { readonly family: number; readonly level: number }>> = {
  ip: { family: 2, level: 0 },
  ip6: { family: 10, level: 41 },
}

/** struct ipt_getinfo: a name, which hooks, where they begin and end, how many entries, how many bytes. */
const info = { bytes: 84, entries: 76, size: 80 } as const

/** @throws KernelError SETUP if this Node cannot call foreign functions, or the kernel does not let us */
export async function openTableSizes(family: Family): Promise<TableSizes> {
  const libc = await load()
  const { family: domain, level } = levels[family]
  const fd = libc.socket(domain, c.raw | c.closeOnExec, c.rawProtocol)
  if (fd < 0) throw new KernelError('SETUP', 'ip_tables: no raw socket could be opened; run as root')
  const [answer, length] = [Buffer.alloc(info.bytes), Buffer.alloc(4)]
  return {
    sizes: () =>
      ['filter', 'nat']
        .map((table) => {
          answer.fill(0)
          answer.write(table)
          length.writeInt32LE(info.bytes)
          // There may be no such table yet.
          if (libc.getsockopt(fd, level, c.getInfo, answer, length) !== 0) return 'none'
          return `${answer.readUInt32LE(info.entries)} in ${answer.readUInt32LE(info.size)}`
        })
        .join(', '),
    close: () => closeSync(fd),
  }
}

async function load() {
  try {
    const { dlopen } = await import('node:ffi')
    return dlopen(null, {
      socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
      getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
    }).functions
  } catch (cause) {
    throw new KernelError('SETUP', 'ip_tables: cannot be reached from this Node (is --experimental-ffi set?)', { cause })
  }
}

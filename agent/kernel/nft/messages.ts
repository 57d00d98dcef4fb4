/**
 * What the kernel says of changes to nf_tables (linux/netfilter/nf_tables.h). A datagram holds messages of one transaction, of
 * which the first attribute names the table. The last message of a transaction names the process.
 */
import type { Family } from '../../../rules/model.ts'
import type { ForeignChange } from '../kernel.ts'
import { aligned, attributesIn, familyNumbers, flags, offsets } from '../netlink-messages.ts'

export interface Table {
  readonly family: Family
  readonly name: string
}

/** What one transaction did to the table. */
export interface Transaction {
  /** The netlink address of the socket that asked for it. */
  readonly sender: number
  /** In order; some hundreds at most, the rest is counted. */
  readonly operations: readonly string[]
  readonly count: number
  readonly by?: NonNullable<ForeignChange['by']>
}

/** The type of a message: NFNL_SUBSYS_NFTABLES in the high byte, one of enum nf_tables_msg_types in the low one. */
export const typeOf = (message: number): number => (10 << 8) | message
export const newGeneration = 15
const getGeneration = 16

/** NFT_MSG_GETGEN: how many transactions changed the rules of this network namespace. */
export function generationQuestion(): Buffer {
  const message = Buffer.alloc(offsets.attributes)
  message.writeUInt32LE(message.length, offsets.length)
  message.writeUInt16LE(typeOf(getGeneration), offsets.type)
  message.writeUInt16LE(flags.request, offsets.flags)
  return message
}

/** The number in the answer, in 32 bits; undefined if it is none. Of the first attribute, NFTA_GEN_ID, the value. */
export function generationIn(answer: Buffer): number | undefined {
  const at = offsets.attributes + 4
  const isOne = answer.length >= at + 4 && answer.readUInt16LE(offsets.type) === typeOf(newGeneration)
  return isOne ? answer.readUInt32BE(at) : undefined
}

const mostOperations = 200
/** How often it is asked for transactions before one of which the end was lost counts as ended. */
const mostLooks = 2

/** Puts messages together to transactions. The last message of one names its process. */
export function createTransactions({ family, name }: Table) {
  const number = familyNumbers[family]
  const attribute = nameAttribute(name)
  const open = new Map<number, { operations: string[]; count: number; looks: number }>()
  let ended: Transaction[] = []
  const end = (sender: number, by?: Transaction['by']): void => {
    const transaction = open.get(sender)
    if (!transaction || !open.delete(sender)) return
    const { operations, count } = transaction
    ended.push({ sender, operations, count, ...(by && { by }) })
  }
  return {
    take(datagram: Buffer): void {
      for (const at of messagesIn(datagram)) {
        const type = datagram.readUInt16LE(at + offsets.type)
        if (type === typeOf(newGeneration)) {
          end(datagram.readUInt32LE(at + offsets.sender), processOf(messageAt(datagram, at)))
          continue
        }
        const operation = operations.get(type)
        // Before anything else is looked at: of other tables there may be very many.
        if (!operation || datagram[at + offsets.family] !== number) continue
        if (!begins(datagram, at + offsets.attributes, attribute)) continue
        const sender = datagram.readUInt32LE(at + offsets.sender)
        const transaction = open.get(sender) ?? { operations: [], count: 0, looks: 0 }
        open.set(sender, transaction)
        transaction.count++
        const { verb, noun, named } = operation
        // That the table is gone says all of it.
        if (noun === 'table' && verb === 'delete') transaction.operations.unshift(`delete table ${family} ${name}`)
        else if (transaction.operations.length < mostOperations) {
          const which = named === undefined ? '' : ` ${textOf(attributesOf(messageAt(datagram, at)).get(named))}`
          transaction.operations.push(`${verb} ${noun} ${family} ${name}${which}`)
        }
      }
    },
    /** Those that have ended since the last call, and those of which the end was lost. */
    ended(): readonly Transaction[] {
      for (const [sender, transaction] of open) if (++transaction.looks > mostLooks) end(sender)
      const found = ended
      ended = []
      return found
    },
  }
}

interface OperationWords {
  readonly verb: 'add' | 'delete'
  readonly noun: string
  /** The attribute with the name of the chain or set. */
  readonly named?: number
}

/** Of enum nf_tables_msg_types; a deletion has a second number where it minds nothing missing (`destroy`). */
interface Numbers {
  readonly added: number
  readonly deleted: readonly number[]
}

const nouns: readonly (Omit<OperationWords, 'verb'> & Numbers)[] = [
  { noun: 'table', added: 0, deleted: [2, 26] },
  { noun: 'chain', added: 3, deleted: [5, 27], named: 3 },
  { noun: 'rule', added: 6, deleted: [8, 28], named: 2 },
  { noun: 'set', added: 9, deleted: [11, 29], named: 2 },
  { noun: 'element', added: 12, deleted: [14, 30], named: 2 },
  { noun: 'object', added: 18, deleted: [20, 31], named: 2 },
  { noun: 'flowtable', added: 22, deleted: [24, 32], named: 2 },
]

const operations: ReadonlyMap<number, OperationWords> = new Map(
  nouns.flatMap(({ noun, named, added, deleted }): readonly (readonly [number, OperationWords])[] => [
    [typeOf(added), { verb: 'add', noun, named }],
    ...deleted.map((type) => [typeOf(type), { verb: 'delete', noun, named }] as const),
  ]),
)

function* messagesIn(datagram: Buffer): Generator<number> {
  for (let at = 0; at + offsets.attributes <= datagram.length;) {
    const length = datagram.readUInt32LE(at + offsets.length)
    if (length < offsets.attributes || at + length > datagram.length) return
    yield at
    at += aligned(length)
  }
}

const messageAt = (datagram: Buffer, at: number): Buffer => datagram.subarray(at, at + datagram.readUInt32LE(at + offsets.length))

function begins(datagram: Buffer, at: number, bytes: Buffer): boolean {
  return at + bytes.length <= datagram.length && datagram.compare(bytes, 0, bytes.length, at, at + bytes.length) === 0
}

/** struct nlattr of type 1: the name with its end. */
function nameAttribute(name: string): Buffer {
  const attribute = Buffer.from(`\0\0\0\0${name}\0`)
  attribute.writeUInt16LE(attribute.length, 0)
  attribute.writeUInt16LE(1, 2)
  return attribute
}

function attributesOf(message: Buffer): ReadonlyMap<number, Buffer> {
  const all = attributesIn(message, { from: offsets.attributes, to: message.length })
  return new Map([...all].map(([type, { from, to }]) => [type, message.subarray(from, to)]))
}

/** NFTA_GEN_PROC_PID and NFTA_GEN_PROC_NAME; numbers in attributes are big-endian. */
function processOf(message: Buffer): Transaction['by'] {
  const attributes = attributesOf(message)
  const pid = attributes.get(2)
  return pid?.length === 4 ? { pid: pid.readUInt32BE(), name: textOf(attributes.get(3)) } : undefined
}

const textOf = (bytes: Buffer | undefined): string => bytes?.toString('utf8').replace(/\0.*$/s, '') ?? ''

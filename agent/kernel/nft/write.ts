/**
 * Changes of elements as messages of nf_tables (linux/netfilter/nf_tables.h), which the kernel takes as one transaction between two
 * marks (linux/netfilter/nfnetlink.h). libnftables makes the same messages of text, in ten times the time.
 */
import type { Family } from '../../../rules/model.ts'
import { declarationOf, elementForm, tableName, type Datum, type Element, type ElementForm, type SetName, type Transaction } from '../../../rules/nft/index.ts'
import { KernelError } from '../errors.ts'
import { aligned, errnoIn, errorMessage, familyNumbers, flags, nested, offsets } from '../netlink-messages.ts'
import type { NetlinkTalk } from '../netlink.ts'
import { attribute, list } from './elements.ts'
import { typeOf } from './messages.ts'

/** NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, and the part of netfilter that they are for: NFNL_SUBSYS_NFTABLES. */
const mark = { begin: 16, end: 17, subsystem: 10 } as const
/** NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM */
const message = { add: typeOf(12), remove: typeOf(14) } as const

export interface ElementWriter {
  /** Whether the bytes of its elements are known. */
  knows(set: SetName): boolean
  /**
   * Whether the kernel said yes to the whole of a transaction. If not, nothing of it happened, and it is to be sent as text: it is of
   * more than elements, or of sets whose bytes are not known, or the text will show what is wrong with it. Does not wait.
   */
  write(transaction: Transaction): boolean
}

export function createElementWriter(family: Family, talk: NetlinkTalk): ElementWriter {
  const forms = new Map<SetName, ElementForm | undefined>()
  const formOf = (set: SetName): ElementForm | undefined => {
    if (!forms.has(set)) {
      const declaration = declarationOf(family, set)
      forms.set(set, declaration && elementForm(declaration))
    }
    return forms.get(set)
  }
  return {
    knows: (set) => formOf(set) !== undefined,
    write(transaction) {
      const batch = batchOf(transaction, formOf)
      return batch !== undefined && isAccepted(talk, batch)
    },
  }
}

/** Every refusal is an answer of its own, and the last message asks for one in any case. */
function isAccepted(talk: NetlinkTalk, batch: Buffer): boolean {
  try {
    talk.ask(batch)
  } catch (e) {
    if (e instanceof KernelError) return false
    throw e
  }
  let answers = 0
  let refusals = 0
  for (let answer = talk.answer(); answer; answer = talk.answer()) {
    answers++
    const isYes = answer.readUInt16LE(offsets.type) === errorMessage && errnoIn(answer, { from: 0, to: answer.length }) === 0
    if (!isYes) refusals++
  }
  return answers > 0 && refusals === 0
}

/** Undefined for what is to be sent as text. */
function batchOf({ family, operations }: Transaction, formOf: (set: SetName) => ElementForm | undefined): Buffer | undefined {
  const batch = createBatch(family)
  for (const operation of operations) {
    if (operation.kind !== 'add-elements' && operation.kind !== 'delete-elements') return undefined
    const form = formOf(operation.set)
    if (!form) return undefined
    const isWritten =
      operation.kind === 'add-elements'
        ? batch.elements({ type: message.add, flags: flags.create, set: operation.set }, operation.elements, (element) => batch.element(form, element))
        : batch.elements({ type: message.remove, flags: 0, set: operation.set }, operation.keys, (key) => batch.key(form, key))
    if (!isWritten) return undefined
  }
  return batch.finish()
}

interface ListHead {
  readonly type: number
  readonly flags: number
  readonly set: SetName
}

/** The length of an attribute has 16 bits, and that of a list of elements ends before this. */
const mostListBytes = 60_000
const attributeHead = 4
/** A comment has as many bytes as one byte can tell (NFT_USERDATA_MAXLEN). */
const mostUserData = 255

function createBatch(family: Family) {
  let bytes = Buffer.alloc(1 << 10)
  let end = 0
  /** Makes room, of zeros. @returns where it begins */
  const room = (length: number): number => {
    const at = end
    end += aligned(length)
    if (end > bytes.length) {
      const more = Buffer.alloc(2 * end)
      bytes.copy(more, 0, 0, at)
      bytes = more
    }
    return at
  }
  const attributeHeadAt = (at: number, type: number, length: number): number => {
    bytes.writeUInt16LE(attributeHead + length, at)
    bytes.writeUInt16LE(type, at + 2)
    return at + attributeHead
  }
  const attributeIn = (type: number, length: number): number => attributeHeadAt(room(attributeHead + length), type, length)
  /** What holds attributes, up to `close`. */
  const open = (type: number): number => attributeIn(type | nested, 0)
  const close = (at: number): void => void bytes.writeUInt16LE(end - at + attributeHead, at - attributeHead)
  /** Where the latest message begins. */
  let latest = 0
  const begin = (type: number, bits: number, number: number): void => {
    latest = room(offsets.attributes)
    bytes.writeUInt16LE(type, latest + offsets.type)
    bytes.writeUInt16LE(flags.request | bits, latest + offsets.flags)
    bytes.writeUInt8(number, latest + offsets.family)
  }
  const endMessage = (): void => void bytes.writeUInt32LE(end - latest, latest + offsets.length)
  const putMark = (type: number): void => {
    begin(type, 0, 0)
    bytes.writeUInt16BE(mark.subsystem, end - 2)
    endMessage()
  }
  const name = (type: number, text: string): void => void bytes.write(text, attributeIn(type, text.length + 1), 'latin1')
  const datum = (type: number, form: Datum, text: string): boolean => {
    const at = attributeIn(type | nested, attributeHead + form.length)
    return form.write(text, bytes, attributeHeadAt(at, attribute.value, form.length))
  }

  putMark(mark.begin)
  return {
    /** @param put writes one; false if it cannot, which ends all */
    elements<T>(head: ListHead, all: readonly T[], put: (each: T) => boolean): boolean {
      for (let i = 0; i < all.length; ) {
        begin(head.type, head.flags, familyNumbers[family])
        name(list.table, tableName)
        name(list.set, head.set)
        const elements = open(list.elements)
        for (; i < all.length && end - elements < mostListBytes; i++) {
          const element = open(list.element)
          if (!put(all[i]!)) return false
          close(element)
        }
        close(elements)
        endMessage()
      }
      return true
    },
    key: (form: ElementForm, key: string): boolean => datum(attribute.key, form.key, key),
    element(form: ElementForm, { key, value, comment }: Element): boolean {
      if (!datum(attribute.key, form.key, key)) return false
      if ((form.value === undefined) !== (value === undefined)) return false
      if (form.value && !datum(attribute.data, form.value, value!)) return false
      return comment === undefined || putComment(comment)
    },
    /** The last one of elements is answered, by which the whole is known to be over. */
    finish(): Buffer {
      bytes.writeUInt16LE(bytes.readUInt16LE(latest + offsets.flags) | flags.acknowledge, latest + offsets.flags)
      putMark(mark.end)
      return bytes.subarray(0, end)
    },
  }

  /** As nft writes it: a type, a length, and text with its end. */
  function putComment(text: string): boolean {
    const length = Buffer.byteLength(text) + 1
    if (2 + length > mostUserData) return false
    const at = attributeIn(attribute.userData, 2 + length)
    bytes[at] = attribute.comment
    bytes[at + 1] = length
    bytes.write(text, at + 2)
    return true
  }
}

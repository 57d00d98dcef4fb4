/**
 * Changes of elements as messages of nf_tables (linux/netfilter/nf_tables.h), which the kernel takes as one transaction between two
 * marks (linux/netfilter/nfnetlink.h). libnftables makes the same messages of text, in ten times the time.
 */
import type { Family } from '../../../rules/model.ts'
import { declarationOf, elementForm, tableName, type Datum, type Element, type ElementForm, type SetName, type Transaction } from '../../../rules/nft/index.ts'
import { KernelError } from '../errors.ts'
import { createMessages, errnoIn, errorMessage, familyNumbers, flags, offsets, type Messages } from '../netlink-messages.ts'
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
  /** A transaction as messages; undefined if it is to be sent as text, as it is of more than elements whose bytes are known. */
  batch(transaction: Transaction): Buffer | undefined
  /**
   * Whether the kernel said yes to the whole of a batch. If not, nothing of it happened, and its transaction is to be sent as text,
   * which will show what is wrong with it. Does not wait.
   */
  send(batch: Buffer): boolean
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
    batch: (transaction) => batchOf(transaction, formOf),
    send: (batch) => isAccepted(talk, batch),
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
/** A comment has as many bytes as one byte can tell (NFT_USERDATA_MAXLEN). */
const mostUserData = 255

function createBatch(family: Family) {
  const messages = createMessages()
  const putMark = (type: number): void => {
    messages.begin({ type, flags: flags.request, family: 0, part: mark.subsystem })
    messages.end()
  }
  /** @returns false if the text is not of this form */
  const datum = (type: number, form: Datum, text: string): boolean => {
    const at = messages.open(type)
    const isWritten = messages.attribute(attribute.value, form.length, (bytes, place) => form.write(text, bytes, place))
    messages.close(at)
    return isWritten
  }
  putMark(mark.begin)
  return {
    /** @param put writes one; false if it cannot, which ends all */
    elements<T>(head: ListHead, all: readonly T[], put: (each: T) => boolean): boolean {
      for (let i = 0; i < all.length; ) {
        messages.begin({ type: head.type, flags: flags.request | head.flags, family: familyNumbers[family] })
        messages.text(list.table, tableName)
        messages.text(list.set, head.set)
        const elements = messages.open(list.elements)
        for (; i < all.length && messages.length - elements < mostListBytes; i++) {
          const element = messages.open(list.element)
          if (!put(all[i]!)) return false
          messages.close(element)
        }
        messages.close(elements)
        messages.end()
      }
      return true
    },
    key: (form: ElementForm, key: string): boolean => datum(attribute.key, form.key, key),
    element(form: ElementForm, { key, value, comment }: Element): boolean {
      if (!datum(attribute.key, form.key, key)) return false
      if ((form.value === undefined) !== (value === undefined)) return false
      if (form.value && !datum(attribute.data, form.value, value!)) return false
      return comment === undefined || putComment(messages, comment)
    },
    /** The last one of elements is answered, by which the whole is known to be over. */
    finish(): Buffer {
      messages.flag(flags.acknowledge)
      putMark(mark.end)
      return messages.bytes()
    },
  }
}

/** As nft writes it: a type, a length, and text with its end. @returns false if it is too long */
function putComment(messages: Messages, text: string): boolean {
  const length = Buffer.byteLength(text) + 1
  if (2 + length > mostUserData) return false
  messages.attribute(attribute.userData, 2 + length, (bytes, at) => {
    bytes[at] = attribute.comment
    bytes[at + 1] = length
    bytes.write(text, at + 2)
  })
  return true
}

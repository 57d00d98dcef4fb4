/**
 * The elements of a set as messages of nf_tables (linux/netfilter/nf_tables.h), which take a tenth of the time that their text
 * takes. Whatever these do not know for certain, they say so.
 */
import { elementOf, type Element, type ElementForm, type SetName } from '../../../rules/nft/index.ts'
import {
  aligned,
  attributeOf,
  attributesIn,
  attributeType,
  doneMessage,
  errnoIn,
  errorMessage,
  flags,
  messageOf,
  offsets,
  type Stretch,
} from '../netlink-messages.ts'
import { typeOf, type Table } from './messages.ts'

/** NFT_MSG_NEWSETELEM, NFT_MSG_GETSETELEM */
const [newElements, getElements] = [typeOf(12), typeOf(13)]
/** enum nft_set_elem_list_attributes, enum nft_list_attributes */
export const list = { table: 1, set: 2, elements: 3, element: 1 } as const
/** enum nft_set_elem_attributes, enum nft_data_attributes, enum nft_expr_attributes; of a comment in libnftnl/udata.h */
export const attribute = { key: 1, data: 2, userData: 6, expression: 7, value: 1, expressionName: 1, comment: 0 } as const

/** Asks for all elements of a set. */
export function elementsQuestion({ family, name }: Table, set: SetName): Buffer {
  return messageOf({ family, type: getElements, flags: flags.request | flags.dump }, [
    attributeOf(list.table, Buffer.from(`${name}\0`)),
    attributeOf(list.set, Buffer.from(`${set}\0`)),
  ])
}

/**
 * @param take told of each element in a datagram of the answer; of undefined, if it is not understood
 * @returns the end of the answer, if this is it; with an errno if it failed
 */
export function readElements(
  datagram: Buffer,
  form: ElementForm | undefined,
  take: (element: Element | undefined) => void,
): { readonly errno: number } | undefined {
  for (let at = 0; at + 16 <= datagram.length;) {
    const length = datagram.readUInt32LE(at + offsets.length)
    if (length < 16 || at + length > datagram.length) break
    const message = { from: at, to: at + length }
    const type = datagram.readUInt16LE(at + offsets.type)
    if (type === errorMessage || type === doneMessage) return { errno: errnoIn(datagram, message) }
    if (type === newElements) {
      for (const [kind, stretch] of attributesIn(datagram, { ...message, from: at + offsets.attributes })) {
        if (kind === list.elements) readList(datagram, stretch, (element) => take(form && elementIn(datagram, element, form)))
      }
    }
    at += aligned(length)
  }
  return undefined
}

function readList(datagram: Buffer, within: Stretch, take: (element: Stretch) => void): void {
  for (const [type, stretch] of attributesIn(datagram, within)) if (type === list.element) take(stretch)
}

/** No generator, and nothing made but the element: there may be a hundred thousand. */
function elementIn(bytes: Buffer, { from, to }: Stretch, form: ElementForm): Element | undefined {
  let key: string | undefined
  let value: string | undefined
  let comment: string | undefined
  for (let at = from; at < to;) {
    if (at + 4 > to) return undefined
    const length = bytes.readUInt16LE(at)
    const end = at + length
    if (length < 4 || end > to) return undefined
    const type = bytes.readUInt16LE(at + 2) & attributeType
    if (type === attribute.key) key = isDatum(bytes, at, form.key.length) ? form.key.text(bytes, at + 8) : undefined
    else if (type === attribute.data) {
      if (!form.value || !isDatum(bytes, at, form.value.length)) return undefined
      value = form.value.text(bytes, at + 8)
    } else if (type === attribute.userData) {
      comment = commentIn(bytes, at + 4, end)
      if (comment === undefined) return undefined
    } else if (type !== attribute.expression || !isCounter(bytes, at + 4, end)) return undefined
    at += aligned(length)
  }
  if (key === undefined || (form.value && value === undefined)) return undefined
  return elementOf(key, value, comment)
}

/** Whether an attribute holds nothing but a value (NFTA_DATA_VALUE) of so many bytes. */
function isDatum(bytes: Buffer, at: number, length: number): boolean {
  return (
    bytes.readUInt16LE(at) === aligned(8 + length) &&
    bytes.readUInt16LE(at + 4) === 4 + length &&
    (bytes.readUInt16LE(at + 6) & attributeType) === attribute.value
  )
}

/** Of user data of nft: a type, a length, and text with its end. Undefined if there is anything else. */
function commentIn(bytes: Buffer, from: number, to: number): string | undefined {
  if (from + 3 > to || bytes[from] !== attribute.comment || from + 2 + bytes[from + 1]! !== to || bytes[to - 1] !== 0) return undefined
  return bytes.toString('utf8', from + 2, to - 1)
}

/** `counter` with its end, as two numbers. */
const counterName = [0x6e75_6f63, 0x0072_6574] as const

/** Its name comes first; what it has counted is not asked for. */
function isCounter(bytes: Buffer, from: number, to: number): boolean {
  return (
    from + 12 <= to &&
    bytes.readUInt16LE(from) === 12 &&
    (bytes.readUInt16LE(from + 2) & attributeType) === attribute.expressionName &&
    bytes.readUInt32LE(from + 4) === counterName[0] &&
    bytes.readUInt32LE(from + 8) === counterName[1]
  )
}

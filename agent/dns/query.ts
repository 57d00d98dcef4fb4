/** What a client asks. Pure, and never throws: whatever comes is a query, gets a refusal, or deserves no answer. */
import { decode, encode } from 'dns-packet'
import { flag, flagsOf, headerBytes, idOf, layoutOf, opcodeOf, questionsOf, recordType } from './message.ts'
import { lowerCase } from './names.ts'

export interface Query {
  readonly id: number
  readonly recursionDesired: boolean
  readonly checkingDisabled: boolean
  /** Name, type and class as they were sent, so that they can be sent back letter by letter. */
  readonly question: Buffer
  /** See names.ts. */
  readonly name: string
  /** False where a label has dots or odd bytes in it, so that the text is not the whole truth: no name of a cluster has. */
  readonly isPlain: boolean
  /** As dns-packet names it: `A`, `UNKNOWN_65`. */
  readonly type: string
  readonly typeNumber: number
  /** `IN`, as a rule. */
  readonly class: string
  /** What the client says of itself (RFC 6891); absent: 512 bytes, no extensions. */
  readonly edns?: { readonly size: number; readonly dnssec: boolean }
}

export const rcode = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const
export type Rcode = keyof typeof rcode

export type Reading =
  | { readonly kind: 'query'; readonly query: Query }
  /** Answered by a header alone. */
  | { readonly kind: 'refusal'; readonly rcode: 'FORMERR' | 'NOTIMP' }
  /** RFC 6891 6.1.3: another version of EDNS. */
  | { readonly kind: 'version'; readonly query: Query }
  /** An answer or no message at all: answering could go round in circles. */
  | { readonly kind: 'silence' }

export function readQuery(message: Buffer): Reading {
  if (message.length < headerBytes || (flagsOf(message) & flag.response) !== 0) return { kind: 'silence' }
  if (opcodeOf(message) !== 0) return { kind: 'refusal', rcode: 'NOTIMP' }
  const layout = questionsOf(message) === 1 ? layoutOf(message) : undefined
  if (!layout) return { kind: 'refusal', rcode: 'FORMERR' }
  const question = message.subarray(headerBytes, layout.questionEnd)
  const options = layout.records.filter(({ section, type }) => section === 'additional' && type === recordType.OPT)
  const asked = readQuestion(question)
  if (!asked || options.length > 1) return { kind: 'refusal', rcode: 'FORMERR' }
  const [option] = options
  const edns = option && { size: message.readUInt16BE(option.ttlAt - 2), dnssec: (message[option.ttlAt + 2]! & 0x80) !== 0 }
  const query: Query = {
    id: idOf(message),
    recursionDesired: (flagsOf(message) & flag.recursionDesired) !== 0,
    checkingDisabled: (flagsOf(message) & flag.checkingDisabled) !== 0,
    question: Buffer.from(question),
    ...asked,
    ...(edns && { edns }),
  }
  return option && message[option.ttlAt + 1] !== 0 ? { kind: 'version', query } : { kind: 'query', query }
}

/** A question for the name that an alias leads to, by the same client. */
export function queryFor(query: Query, name: string): Query {
  const question = encode({ questions: [{ name, type: query.type as 'A', class: 'IN' }] }).subarray(headerBytes)
  return { ...query, question, name: lowerCase(name), isPlain: true }
}

type Asked = Pick<Query, 'name' | 'isPlain' | 'type' | 'typeNumber' | 'class'>

function readQuestion(question: Buffer): Asked | undefined {
  const alone = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), question])
  try {
    const [read] = decode(alone).questions ?? []
    if (!read) return undefined
    return {
      name: read.name === '.' ? '' : lowerCase(read.name),
      isPlain: encode({ questions: [read] }).equals(Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), question])),
      type: read.type,
      typeNumber: question.readUInt16BE(question.length - 4),
      class: read.class ?? 'IN',
    }
  } catch {
    // dns-packet throws for names that are too long or point ahead.
    return undefined
  }
}

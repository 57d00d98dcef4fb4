import { expect, test } from 'vitest'
import { crc32c, createClient, decode, encode, reply, type SctpPacket } from './sctp-messages.ts'

const over = (packet: SctpPacket): SctpPacket => decode(encode(packet))!
const line = (port: number): string => `b1 ${port} 10.0.0.1\n`

test('the checksum is the one of the standard', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283)
})

test('a question is answered with the fourth packet', () => {
  const client = createClient(10_001, 9090)
  const greeting = over(reply(over(client.opening), [8080, 9090], line)!)
  expect(greeting).toMatchObject({ sourcePort: 9090, destinationPort: 10_001 })
  const cookie = client.take(greeting)
  const answer = over(reply(over(cookie!.say!), [8080, 9090], line)!)
  expect(client.take(answer)).toMatchObject({ outcome: 'b1 9090 10.0.0.1' })
})

test('a port that nobody has is refused', () => {
  const client = createClient(10_001, 9091)
  expect(client.take(over(reply(over(client.opening), [8080, 9090], line)!))).toEqual({ outcome: 'refused' })
})

test('a cookie counts for the association that it was made for', () => {
  const [own, foreign] = [createClient(10_001, 9090), createClient(10_001, 9090)].map((each) => each.take(over(reply(over(each.opening), [9090], line)!))!.say!)
  const stolen = over(reply(over({ ...own!, tag: foreign!.tag }), [9090], line)!)
  expect(stolen.chunks).toMatchObject([{ type: 6, flags: 1 }])
})

test('what is for another client is left alone', () => {
  const [client, other] = [createClient(10_001, 9090), createClient(10_002, 9090)]
  expect(other.take(over(reply(over(client.opening), [9090], line)!))).toBeUndefined()
})

test('bytes that were changed on their way are nobody\'s', () => {
  const bytes = encode(createClient(10_001, 9090).opening)
  for (const at of [0, 5, 9, bytes.length - 1]) {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 1
    expect(decode(changed)).toBeUndefined()
  }
  expect(decode(bytes.subarray(0, 11))).toBeUndefined()
})

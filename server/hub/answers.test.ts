import { expect, test } from 'vitest'
import type { HubFrame } from '../../api/frames.ts'
import { refusalOf } from '../../test/kit/registry.ts'
import { settled } from '../../test/kit/clock.ts'
import { createAnswers } from './answers.ts'

const rules = { method: 'rules' } as const
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function open(bound?: number) {
  const sent: HubFrame[] = []
  const answers = createAnswers('node1', (frame) => void sent.push(frame), bound)
  const abort = new AbortController()
  const ask = async (): Promise<string> => {
    let text = ''
    for await (const part of answers.ask(rules, abort.signal)) text += new TextDecoder().decode(part)
    return text
  }
  return { sent, answers, abort, ask }
}

test('an answer comes in parts and ends', async () => {
  const { sent, answers, ask } = open()
  const [one, two] = [ask(), ask()]
  await settled()
  expect(sent).toEqual([{ kind: 'call', id: 1, call: rules }, { kind: 'call', id: 2, call: rules }])
  answers.take({ kind: 'data', id: 2, bytes: bytes('b') })
  answers.take({ kind: 'data', id: 1, bytes: bytes('a') })
  answers.take({ kind: 'data', id: 1, bytes: bytes('c') })
  answers.take({ kind: 'end', id: 1 })
  answers.take({ kind: 'end', id: 2 })
  expect(await Promise.all([one, two])).toEqual(['ac', 'b'])
  expect(sent).toHaveLength(2)
})

test('a question is asked when its answer is read, not before', () => {
  const { sent, answers, abort } = open()
  answers.ask(rules, abort.signal)
  expect(sent).toEqual([])
})

test.each([
  ['CONTAINER_UNKNOWN', 'NotFound'],
  ['CONTAINER_CONFIG', 'BadRequest'],
  ['USAGE', 'BadRequest'],
  ['LINK_REFUSED', 'ServiceUnavailable'],
  ['ENOENT', 'InternalError'],
])('%s of the node is %s', async (code, reason) => {
  const { answers, ask } = open()
  const refusal = refusalOf(ask())
  await settled()
  answers.take({ kind: 'end', id: 1, error: { code, message: 'no luck' } })
  expect(await refusal).toMatchObject({ reason, message: expect.stringContaining('no luck') })
})

test('a reader that goes away cancels on the node, and what still comes is dropped', async () => {
  const { sent, answers, abort, ask } = open()
  const asked = ask()
  await settled()
  abort.abort(new TypeError('gone'))
  await expect(asked).rejects.toThrow('gone')
  expect(sent.at(-1)).toEqual({ kind: 'cancel', id: 1 })
  answers.take({ kind: 'data', id: 1, bytes: bytes('late') })
  answers.take({ kind: 'end', id: 1 })
})

test('a lost connection ends every question, and later ones at once', async () => {
  const { sent, answers, ask } = open()
  const refusal = refusalOf(ask())
  await settled()
  answers.close()
  expect(await refusal).toMatchObject({ reason: 'ServiceUnavailable', message: expect.stringContaining('node1') })
  expect(await refusalOf(ask())).toMatchObject({ reason: 'ServiceUnavailable' })
  expect(sent).toHaveLength(1)
})

test('an answer that nobody reads is cut off at the bound, after what came before it', async () => {
  const { sent, answers, abort } = open(10)
  const reader = answers.ask(rules, abort.signal)[Symbol.asyncIterator]()
  const first = reader.next()
  await settled()
  for (let i = 0; i < 5; i++) answers.take({ kind: 'data', id: 1, bytes: bytes('abcd') })
  expect(sent.slice(1)).toEqual([{ kind: 'cancel', id: 1 }])
  const rest = async (): Promise<void> => {
    expect((await first).value).toEqual(bytes('abcd'))
    for (let i = 0; i < 2; i++) expect((await reader.next()).value).toEqual(bytes('abcd'))
    await reader.next()
  }
  expect(await refusalOf(rest())).toMatchObject({ reason: 'ServiceUnavailable', message: expect.stringContaining('not read in time') })
})

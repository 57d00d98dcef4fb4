import { beforeEach, describe, expect, test } from 'vitest'
import { isWherryError } from '../../api/errors.ts'
import { createFakeClock, settled, type FakeClock } from '../../test/kit/clock.ts'
import { LinkError } from '../link/error.ts'
import type { Answer, Question } from '../link/hub-api.ts'
import { createObjects, type ObjectName, type Objects } from './objects.ts'

const never = new AbortController().signal
const settings: ObjectName = { kind: 'ConfigMap', namespace: 'shop', name: 'settings' }
let clock: FakeClock
let objects: Objects
let questions: { readonly question: Question; readonly answer: (a: Answer) => void; readonly fail: (e: Error) => void }[]

beforeEach(() => {
  clock = createFakeClock()
  questions = []
  const ask = (question: Question): Promise<Answer> => new Promise((answer, fail) => questions.push({ question, answer, fail }))
  objects = createObjects({ api: { ask }, clock, closing: never })
})

const map = (data: object): Answer => ({ code: 200, body: { kind: 'ConfigMap', data } })
const find = (since = clock.now(), signal = never) => objects.find(settings, since, signal)
const texts = async (found: ReturnType<Objects['find']>): Promise<unknown> => {
  const data = await found
  return data && Object.fromEntries([...data].map(([key, v]) => [key, v.bytes.toString()]))
}
const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'none', (e: unknown) => (isWherryError(e) ? e.code : e))

describe('one question for all', () => {
  test('who comes while it is under way shares its answer, whoever leaves', async () => {
    const leaving = new AbortController()
    const gone = codeOf(find(clock.now(), leaving.signal))
    const both = [find(), find()]
    await settled()
    leaving.abort(new LinkError('LINK_LOST', 'left'))
    expect(await gone).toBe('LINK_LOST')
    questions[0]!.answer(map({ a: '1' }))
    expect(await Promise.all(both.map(texts))).toEqual([{ a: '1' }, { a: '1' }])
    expect(questions.map((q) => q.question.path)).toEqual(['/api/v1/namespaces/shop/configmaps/settings'])
  })

  test('it is not asked again for who is content with its age', async () => {
    const first = find()
    questions[0]!.answer(map({ a: '1' }))
    await first
    const asked = clock.now()
    await clock.advance(5_000)
    expect(await texts(find(asked))).toEqual({ a: '1' })
    expect(questions).toHaveLength(1)
  })

  test('one that began before what the asker has to see is waited for, and then another is asked', async () => {
    const early = find()
    await clock.advance(10)
    const late = [find(), find()]
    await settled()
    expect(questions).toHaveLength(1)
    questions[0]!.answer(map({ a: 'old' }))
    expect(await texts(early)).toEqual({ a: 'old' })
    await settled()
    expect(questions).toHaveLength(2)
    questions[1]!.answer(map({ a: 'new' }))
    expect(await Promise.all(late.map(texts))).toEqual([{ a: 'new' }, { a: 'new' }])
  })
})

describe('a hub that does not give it', () => {
  const first = async (): Promise<void> => {
    const known = find()
    questions.at(-1)!.answer(map({ a: '1' }))
    await known
    await clock.advance(10)
  }

  test('and is not there: what was known last is given, else the error', async () => {
    const lost = codeOf(find())
    questions[0]!.fail(new LinkError('LINK_LOST', 'away'))
    expect(await lost).toBe('LINK_LOST')
    await first()
    const again = texts(find())
    questions.at(-1)!.fail(new LinkError('LINK_LOST', 'away'))
    expect(await again).toEqual({ a: '1' })
  })

  test('is not asked again for a while where something is known', async () => {
    await first()
    const again = texts(find())
    questions.at(-1)!.fail(new LinkError('LINK_LOST', 'away'))
    await again
    await clock.advance(9_000)
    expect(await texts(find())).toEqual({ a: '1' })
    expect(questions).toHaveLength(2)
    await clock.advance(1_000)
    const later = texts(find())
    questions.at(-1)!.answer(map({ a: '2' }))
    expect(await later).toEqual({ a: '2' })
  })

  test('and says that there is none, or that it may not be read: that counts, whatever was known', async () => {
    await first()
    const refused = codeOf(find())
    questions.at(-1)!.answer({ code: 403, body: { message: 'no relationship' } })
    expect(await refused).toBe('LINK_REFUSED')
    const gone = find()
    await settled()
    questions.at(-1)!.answer({ code: 404, body: {} })
    expect(await gone).toBeUndefined()
  })

  test('is asked again after a failure, and an object that is forgotten is unknown', async () => {
    await first()
    objects.keepOnly([{ ...settings, name: 'other' }])
    const lost = codeOf(find(0))
    questions.at(-1)!.fail(new LinkError('LINK_LOST', 'away'))
    expect(await lost).toBe('LINK_LOST')
  })
})

test('values are bytes; those of binaryData are known as such', async () => {
  const found = find()
  questions[0]!.answer({ code: 200, body: { data: { a: 'é' }, binaryData: { b: 'AAH/' } } })
  expect([...(await found)!]).toEqual([
    ['b', { bytes: Buffer.from([0, 1, 255]), binary: true }],
    ['a', { bytes: Buffer.from('é'), binary: false }],
  ])
  const secret = objects.find({ kind: 'Secret', namespace: 'shop', name: 's' }, 0, never)
  expect(questions[1]!.question.path).toBe('/api/v1/namespaces/shop/secrets/s')
  questions[1]!.answer({ code: 200, body: { data: { key: 'AP8=' } } })
  expect((await secret)!.get('key')).toEqual({ bytes: Buffer.from([0, 255]), binary: false })
})

test('a token is asked for with its pod', async () => {
  const token = objects.token({ namespace: 'shop', account: 'robot', pod: { name: 'p', uid: 'u' }, seconds: 3607 }, never)
  expect(questions[0]!.question).toMatchObject({
    path: '/api/v1/namespaces/shop/serviceaccounts/robot/token',
    body: { spec: { audiences: [], expirationSeconds: 3607, boundObjectRef: { kind: 'Pod', name: 'p', uid: 'u' } } },
  })
  questions[0]!.answer({ code: 201, body: { status: { token: 't' } } })
  expect(await token).toBe('t')
})

import { describe, expect, test } from 'vitest'
import { commentLimit, serviceComment, shapeName, shapeOf, verdictTarget } from './names.ts'

describe('comments', () => {
  const long = (letter: string): string => letter.repeat(63)
  const key = `${long('n')}/${long('s')}`

  test.each([
    ['default/web', 'http', 'default/web:http'],
    ['default/web', '', 'default/web'],
    ['default/we"b }', 'a;b\n', 'default/we_b__:a_b_'],
    ['default/wäb', '', 'default/w_b'],
    [key, '', key],
    [`${key}`.slice(0, 126), 'p', `${key.slice(0, 126)}:p`],
  ])('%s %s', (service, port, comment) => {
    expect(serviceComment(service, port)).toBe(comment)
  })

  test('the longest names that Kubernetes allows fit, stay apart, and keep the namespace', () => {
    const comments = ['p', 'q'].map((port) => serviceComment(key, port.repeat(63)))
    for (const comment of comments) {
      expect(new TextEncoder().encode(comment)).toHaveLength(commentLimit)
      expect(comment).toMatch(new RegExp(`^${long('n')}/s{55}~[0-9a-f]{8}$`))
    }
    expect(new Set(comments).size).toBe(2)
  })
})

test('a shape has one name, and the name one shape', () => {
  for (const kind of ['cluster-ip', 'node-port'] as const) {
    for (const count of [1, 3, 5000]) expect(shapeOf(shapeName({ kind, count }))).toEqual({ kind, count })
  }
  for (const name of ['endpoints-', 'endpoints-0', 'endpoints-03', 'endpoints-3x', 'my-endpoints-3', 'services']) expect(shapeOf(name)).toBeUndefined()
})

test.each([['goto endpoints-3', 'endpoints-3'], ['jump a', 'a'], ['accept', undefined], ['drop', undefined]])('%s leads to %s', (verdict, chain) => {
  expect(verdictTarget(verdict)).toBe(chain)
})

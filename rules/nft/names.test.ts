import { describe, expect, test } from 'vitest'
import { commentLimit, extensionName, extensionOf, hash, serviceComment } from './names.ts'

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

test('an extension has one name, and the name one extension', () => {
  for (const kind of ['endpoints', 'outsiders', 'affinity-members'] as const) {
    for (const number of [1, 3, 5000]) expect(extensionOf(extensionName({ kind, number }))).toEqual({ kind, number })
  }
  for (const name of ['endpoints-', 'endpoints-0', 'endpoints-03', 'endpoints-3x', 'my-endpoints-3', 'affinity']) expect(extensionOf(name)).toBeUndefined()
})

test('hashes stay as they are, since the kernel keeps what they named', () => {
  expect([hash(''), hash('default/web http tcp'), hash('10.244.0.2 . 8080')]).toMatchInlineSnapshot(`
    [
      2872998923,
      2559725677,
      1792191717,
    ]
  `)
})

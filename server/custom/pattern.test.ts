import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPatterns, isPattern } from './pattern.ts'

const found = (pattern: string, text: string): boolean | undefined => createPatterns().matches(pattern, text)

describe('patterns in the words of RE2', () => {
  test.each([
    ['', 'x', true],
    ['b', 'abc', true],
    ['^b', 'abc', false],
    ['^abc$', 'abc', true],
    ['^a|c$', 'xc', true],
    ['^(?:ab|cd)+$', 'abcdab', true],
    ['^(?:ab|cd)+$', 'abcda', false],
    ['^a{2,3}$', 'aaaa', false],
    ['^a{2,3}$', 'aaa', true],
    ['^a{2}$', 'a', false],
    ['^a{2,}$', 'aaaaa', true],
    ['^a{,2}$', 'a{,2}', true],
    ['^a?b*?c+?$', 'bbc', true],
    ['^.$', '\n', false],
    ['(?s)^.$', '\n', true],
    ['^.$', '😀', true],
    ['(?i)^abc$', 'aBC', true],
    ['^a(?i:b)c$', 'aBC', false],
    ['^a(?i)b$', 'aB', true],
    ['^(?:(?i)a)b$', 'AB', false],
    ['(?m)^b$', 'a\nb\nc', true],
    ['^[[:alpha:]_]+\\z', 'Ab_', true],
    ['^[^[:space:]]+$', 'a b', false],
    ['^(?P<year>\\d{4})-\\d\\d$', '2026-01', true],
    ['^[a-z\\-_./:]+$', 'a-_./:', true],
    ['^[]a]+$', ']a', true],
    ['^[^]a]+$', 'bc', true],
    ['^[a[]+$', 'a[', true],
    ['^\\p{L}\\pN$', 'é7', true],
    ['^\\x41\\x{1F600}$', 'A😀', true],
    ['\\bfoo\\b', 'a foo b', true],
    ['\\bfoo\\b', 'afoo', false],
    ['^\\_\\/\\.$', '_/.', true],
    ['^\\s$', '\v', false],
    ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$', 'a-1.b', true],
    ['^(\\*|\\d+)( (\\*|\\d+)){4}$', '0 3 * * *', true],
  ])('%s, %j', (pattern, text, is) => expect(found(pattern, text)).toBe(is))

  test.each(['(', ')', '[a', 'a**', '*a', 'a{2,1}', 'a{1001}', '((a{900}){900}){900}', '(?=a)', '(?<!a)', '\\1', '\\k', '[[:odd:]]', '(?z)a', '\\', '\\p{Nothing}', '[b-a]'])(
    '%s is none',
    (pattern) => expect([isPattern(pattern), found(pattern, 'a')]).toEqual([false, undefined]),
  )

  test('one that would take others for ever takes a moment', () => {
    expect(found('^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(5_000))).toBe(false)
    expect(found('^(a+)+$', `${'a'.repeat(5_000)}!`)).toBe(false)
    expect(found('^(a{10}){90}$', 'a'.repeat(900))).toBe(true)
    expect(found('^(a{10}){90}$', 'a'.repeat(3_000_000))).toBeUndefined()
  })

  test('finds what the engine of the language finds', () => {
    const part = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '\\b', '^', '$', '(a|b)', '(?:ab)?', 'a*', 'b+', 'a{1,2}', '|', '(a|ab)*')
    const pattern = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n'), maxLength: 8 }), (source, text) => {
        expect([source, text, found(source, text)]).toEqual([source, text, new RegExp(source, 'u').test(text)])
      }),
      { numRuns: 3_000 },
    )
  })
})

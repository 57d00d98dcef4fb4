import { describe, expect, it } from 'vitest'
import { refusalOf, type KernelErrorCode } from './errors.ts'

const payload =
  'add table ip wherry\nadd chain ip wherry a\nadd rule ip wherry nope accept\nadd chain ip wherry b\nadd chain ip wherry c\n'

describe('the words of nft', () => {
  const rows: readonly { said: string; code: KernelErrorCode; words: string; line?: number }[] = [
    {
      said: '/dev/stdin:1:34-52: Error: Could not process rule: File exists\nadd table\n^^^^\n',
      code: 'KERNEL_EXISTS',
      words: 'Could not process rule: File exists',
      line: 1,
    },
    {
      said: '/proc/self/fd/23:2:1-5: Error: interval overlaps with an existing one\n',
      code: 'KERNEL_EXISTS',
      words: 'interval overlaps with an existing one',
      line: 2,
    },
    {
      said: '/dev/stdin:2:1-5: Error: conflicting intervals specified\n',
      code: 'KERNEL_EXISTS',
      words: 'conflicting intervals specified',
      line: 2,
    },
    {
      said: '/dev/stdin:3:20-23: Error: No such file or directory; did you mean chain ‘a’ in table ip ‘wherry’?\n',
      code: 'KERNEL_NOT_FOUND',
      words: 'No such file or directory; did you mean chain ‘a’ in table ip ‘wherry’?',
      line: 3,
    },
    {
      said: '/dev/stdin:1:34-46: Error: element does not exist\n',
      code: 'KERNEL_NOT_FOUND',
      words: 'element does not exist',
      line: 1,
    },
    {
      said: 'Error: No such file or directory\nlist table ip wherry\n',
      code: 'KERNEL_NOT_FOUND',
      words: 'No such file or directory',
    },
    {
      said: '/dev/stdin:2:24-25: Error: Could not process rule: Device or resource busy\n',
      code: 'KERNEL_BUSY',
      words: 'Could not process rule: Device or resource busy',
      line: 2,
    },
    {
      said: '/dev/stdin:2:1-2: Error: Could not process rule: Too many links\n',
      code: 'KERNEL_REFUSED',
      words: 'Could not process rule: Too many links',
      line: 2,
    },
    { said: 'netlink: Error: set is not a map\n', code: 'KERNEL_REFUSED', words: 'set is not a map' },
    {
      said: 'internal:0:0-0: Error: conflicting protocols specified: ip vs. th\n',
      code: 'KERNEL_REFUSED',
      words: 'conflicting protocols specified: ip vs. th',
    },
    {
      said: 'Operation not permitted (you must be root)\n',
      code: 'KERNEL_REFUSED',
      words: 'Operation not permitted (you must be root)',
    },
    { said: '', code: 'KERNEL_REFUSED', words: '' },
  ]
  it.each(rows)('$said', ({ said, code, words, line }) => {
    const cause = new Error('the process')
    const e = refusalOf(said, payload, cause)
    expect(e).toMatchObject({ code, said: words, line, cause })
    expect(e.message).toContain(words || 'without a word')
    expect(e.excerpt === undefined).toBe(line === undefined)
  })

  it('of several complaints the first one counts', () => {
    const said =
      '/dev/stdin:3:1-2: Error: Could not process rule: File exists\nx\n^\n/dev/stdin:4:1-2: Error: Device or resource busy\n'
    expect(refusalOf(said, payload)).toMatchObject({ code: 'KERNEL_EXISTS', line: 3 })
  })
})

describe('what is kept of the payload', () => {
  it('is the line and its neighbours', () => {
    expect(refusalOf('/dev/stdin:3:20-23: Error: No such file or directory\n', payload).excerpt).toBe(
      [
        '  1: add table ip wherry',
        '  2: add chain ip wherry a',
        '> 3: add rule ip wherry nope accept',
        '  4: add chain ip wherry b',
        '  5: add chain ip wherry c',
      ].join('\n'),
    )
  })

  it('is a few KB, around the column, however long the lines are', () => {
    const elements = Array.from({ length: 50_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`)
    const line = `add element ip wherry spare { ${elements.join(', ')} }`
    const column = line.indexOf('10.0.100.7,') + 1
    const { excerpt } = refusalOf(
      `/dev/stdin:2:${column}-${column + 9}: Error: File exists\n${line}\n`,
      [line, line, line, line].join('\n'),
    )
    expect(excerpt!.length).toBeLessThan(4000)
    expect(excerpt).toContain('10.0.100.7,')
  })
})

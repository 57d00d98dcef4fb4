import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  matchesFields,
  matchesLabels,
  matchesSelector,
  parseFieldSelector,
  parseLabelSelector,
  selectableFields,
} from './selectors.ts'
import { kindOf, resourceKinds } from './resources.ts'
import { StatusError } from './status.ts'

const pods = kindOf('pods')

const labels = { app: 'web', tier: 'front', gen: '10', 'example.com/role': 'a.b', empty: '' }

describe('a label selector in text', () => {
  test.each([
    ['', true],
    [' ', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web , tier=front', true],
    ['app=web,tier=back', false],
    ['app!=web', false],
    ['other!=web', true],
    ['app in (db, web)', true],
    ['app in(db)', false],
    ['app notin (db,web)', false],
    ['other notin (db)', true],
    ['app in (db),app', false],
    ['app', true],
    ['other', false],
    ['!app', false],
    ['! other', true],
    ['example.com/role=a.b', true],
    ['empty=', true],
    ['empty in ()', true],
    ['app=', false],
    ['gen>9', true],
    ['gen>10', false],
    ['gen<11', true],
    ['app>1', false],
    ['toString', false],
    ['in in (in)', false],
  ])('%s', (text, expected) => {
    expect(matchesLabels(parseLabelSelector(text), labels)).toBe(expected)
  })
  test('on an object without labels', () => {
    expect(matchesLabels(parseLabelSelector('!app'), undefined)).toBe(true)
    expect(matchesLabels(parseLabelSelector('app'), undefined)).toBe(false)
  })
})

describe('a label selector that is none is refused', () => {
  test.each([
    ['app=web,', 'found ""'],
    [',app', 'found ""'],
    ['app in web', 'found "app in web"'],
    ['app in (web', 'the parentheses do not match'],
    ['app)', 'the parentheses do not match'],
    ['app in ((web))', 'the parentheses do not match'],
    ['app=web=db', 'found "app=web=db"'],
    ['=web', 'found "=web"'],
    ['a/b/c=d', 'key "a/b/c" must be a name, or a prefix and a name'],
    ['-a=d', 'key "-a" name part must be 1 to 63'],
    ['UPPER.com/a', 'prefix part must be a DNS subdomain'],
    ['app=a b', 'found "app=a b"'],
    ['app=-b', 'value "-b" must be 1 to 63'],
    [`app=${'x'.repeat(64)}`, 'must be 1 to 63'],
    ['gen>x', 'value "x" must be a whole number'],
  ])('%s', (text, message) => {
    expect(() => parseLabelSelector(text)).toThrow(StatusError)
    expect(() => parseLabelSelector(text)).toThrow(message)
  })
})

describe('a LabelSelector object', () => {
  const expression = (key: string, operator: string, ...values: string[]) => ({ matchExpressions: [{ key, operator, values }] })
  test.each([
    ['absent: nothing', undefined, false],
    ['empty: everything', {}, true],
    ['equal', { matchLabels: { app: 'web' } }, true],
    ['one differs', { matchLabels: { app: 'web', tier: 'back' } }, false],
    ['In', expression('app', 'In', 'db', 'web'), true],
    ['NotIn', expression('app', 'NotIn', 'web'), false],
    ['Exists', expression('app', 'Exists'), true],
    ['DoesNotExist', expression('app', 'DoesNotExist'), false],
    ['both', { matchLabels: { app: 'web' }, ...expression('tier', 'In', 'back') }, false],
    ['an unknown operator: nothing', expression('app', 'Near', 'web'), false],
  ])('%s', (_what, selector, expected) => {
    expect(matchesSelector(selector, labels)).toBe(expected)
  })
})

describe('a field selector', () => {
  const pod = { metadata: { name: 'a', namespace: 'n' }, spec: { nodeName: 'node1' }, status: { phase: 'Running' } }
  test.each([
    ['', true],
    ['metadata.name=a', true],
    ['metadata.name==a', true],
    ['metadata.name=b', false],
    ['metadata.name=a,status.phase!=Running', false],
    ['spec.nodeName!=', true],
    ['spec.schedulerName=', true],
    ['spec.hostNetwork=false', true],
    ['metadata.name=a\\,b', false],
    ['metadata.name!=a\\=b', true],
  ])('%s', (text, expected) => {
    expect(matchesFields(parseFieldSelector(text, pods), pod)).toBe(expected)
  })

  test('escapes are taken away', () => {
    expect(parseFieldSelector('metadata.name=a\\,b\\=c\\\\d', pods)).toEqual([
      { field: 'metadata.name', equal: true, value: 'a,b=c\\d' },
    ])
  })

  test.each([
    ['metadata.name', 'where FIELD=VALUE or FIELD!=VALUE is expected'],
    ['=a', 'where FIELD=VALUE'],
    ['metadata.name=a=b', "write '=' as"],
    ['metadata.name=a\\x', "write '=' as"],
    ['metadata.name=a\\', "write '=' as"],
    ['spec.image=a', 'field label not supported: spec.image; pods can be selected by metadata.name, '],
    ['metadata.labels=a', 'field label not supported'],
  ])('%s is refused', (text, message) => {
    expect(() => parseFieldSelector(text, pods)).toThrow(StatusError)
    expect(() => parseFieldSelector(text, pods)).toThrow(message)
  })

  test('an event is found by whoever reported it', () => {
    const by = parseFieldSelector('source=kubelet', kindOf('events'))
    expect(matchesFields(by, { source: { component: 'kubelet' } })).toBe(true)
    expect(matchesFields(by, { reportingComponent: 'kubelet' })).toBe(true)
    expect(matchesFields(by, { source: {}, reportingComponent: 'other' })).toBe(false)
  })

  test('every kind can be selected by name', () => {
    for (const of of resourceKinds) expect(selectableFields(of)).toContain('metadata.name')
  })
})

test('any text is a selector or refused', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '=', '!', ',', '(', ')', ' ', '\\', '<', 'in', '/', '.'),
    maxLength: 30,
  })
  fc.assert(
    fc.property(text, (t) => {
      for (const parse of [() => parseLabelSelector(t), () => parseFieldSelector(t, pods)]) {
        try {
          parse()
        } catch (e) {
          expect(e).toBeInstanceOf(StatusError)
        }
      }
    }),
    { numRuns: 1000 },
  )
})

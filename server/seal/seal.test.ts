import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addKey, openKeys, readKeys } from './key-file.ts'
import { createSeal, openSeal, type Key, type Place } from './seal.ts'

const key = (name: string): Key => ({ name, secret: randomBytes(32) })
const place = (part: Partial<Place> = {}): Place => ({ resource: 'secrets', namespace: 'default', name: 'a', ...part })
const text = '{"data":{"password":"c2VjcmV0"}}'

describe('a sealed value', () => {
  const [first, second] = [key('key1'), key('key2')]
  const seal = createSeal({ keys: [first], plain: false })
  const stored = seal.seal(place(), text)

  test('names its key and nothing of what is in it, and opens', () => {
    expect(stored).toMatch(/^k8s:enc:aesgcm:v1:key1:[A-Za-z0-9+/=]+$/)
    expect(Buffer.from(stored.split(':')[5]!, 'base64').toString('latin1')).not.toContain('password')
    expect(seal.seal(place(), text)).not.toBe(stored)
    expect(seal.open(place(), stored)).toBe(text)
  })
  test.each([{ name: 'b' }, { namespace: 'other' }])('does not open in another place: %j', (other) => {
    expect(() => seal.open(place(other), stored)).toThrow(expect.objectContaining({ code: 'SEAL_BROKEN' }))
  })
  test('does not open when a bit of it was changed', () => {
    const body = Buffer.from(stored.split(':')[5]!, 'base64')
    for (const at of [0, 12, 20, body.length - 1]) {
      const bent = Buffer.from(body)
      bent[at]! ^= 1
      expect(() => seal.open(place(), `k8s:enc:aesgcm:v1:key1:${bent.toString('base64')}`)).toThrow(/cannot be opened/)
    }
    for (const odd of ['k8s:enc:aesgcm:v1:key1:', 'k8s:enc:aesgcm:v1:key1:AAAA', 'k8s:enc:aescbc:v1:key1:AAAA', '', text]) expect(() => seal.open(place(), odd)).toThrow(/cannot be opened/)
  })
  test('opens behind a new first key, and not without its own', () => {
    expect(createSeal({ keys: [second, first], plain: false }).open(place(), stored)).toBe(text)
    expect(() => createSeal({ keys: [second], plain: true }).open(place(), stored)).toThrow('the key key1 is not in the file of keys')
  })
  test('other kinds are what they are, and so is everything without a key', () => {
    expect(seal.seal(place({ resource: 'configmaps' }), text)).toBe(text)
    expect(seal.open(place({ resource: 'configmaps' }), text)).toBe(text)
    expect(openSeal().seal(place(), text)).toBe(text)
    expect(createSeal({ keys: [first], plain: true }).open(place(), text)).toBe(text)
  })
})

describe('the file of keys', () => {
  let folder: string
  let file: string
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'wherry-keys-'))
    file = path.join(folder, 'encryption.yaml')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('is made once, for its owner alone, and gets new keys in front', () => {
    const made = openKeys(file)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(openKeys(file)).toEqual(made)
    const more = addKey(file)
    expect(more.keys.map((k) => k.name)).toEqual(['key2', 'key1'])
    expect(readKeys(file)).toEqual(more)
    expect(readFileSync(file, 'utf8')).toContain('kind: EncryptionConfiguration')
  })

  const config = (providers: string, kinds = '[secrets]') => `kind: EncryptionConfiguration\nresources: [{resources: ${kinds}, providers: ${providers}}]\n`
  const good = `{aesgcm: {keys: [{name: a, secret: ${Buffer.alloc(32).toString('base64')}}]}}`
  test('may lie elsewhere, with identity behind the keys or without', () => {
    writeFileSync(file, config(`[${good}, {identity: {}}]`))
    expect(readKeys(file).plain).toBe(true)
    writeFileSync(file, config(`[${good}]`))
    expect(readKeys(file)).toMatchObject({ plain: false, keys: [{ name: 'a' }] })
    writeFileSync(file, config('[{identity: {}}]'))
    expect(readKeys(file)).toEqual({ plain: true, keys: [] })
  })
  test.each([
    ['', 'kind'], ['a: [', 'not YAML'], ['kind: EncryptionConfiguration', 'resources must be'],
    [config(`[${good}]`, '[secrets, configmaps]'), 'resources[0].resources'],
    [config('[{aescbc: {}}]'), 'providers'], [config('[]'), 'providers'],
    [config('[{aesgcm: {keys: [{name: a, secret: AAAA}]}}]'), 'keys[0].secret'],
    [config('[{aesgcm: {keys: [{name: "a:b", secret: AAAA}]}}]'), 'keys[0].name'],
    [config(`[${good}, ${good}]`), 'same name'], [config(`[{identity: {}}, ${good}]`), 'identity comes first'],
  ])('is refused with the field: %j', (content, field) => {
    writeFileSync(file, content)
    expect(() => readKeys(file)).toThrow(expect.objectContaining({ code: 'SETUP', message: expect.stringContaining(field) }))
  })
})

/** Secrets on the disk of a real hub: what its files hold is looked at byte by byte. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failureOf } from '../kit/api.ts'
import { startHubProcess, type HubProcess } from '../kit/hub-process.ts'

let hub: HubProcess
beforeAll(async () => {
  hub = await startHubProcess()
})
afterAll(() => hub?.close())

const secrets = '/api/v1/namespaces/default/secrets'
const word = 'sesame-opens-the-cave'
const encoded = Buffer.from(word).toString('base64')
/** Everything that belongs to the database: the file, and what SQLite keeps beside it. */
const onDisk = (): string => {
  const files = readdirSync(path.join(hub.dir, 'hub')).filter((name) => name.startsWith('wherry.db'))
  expect(files).toContain('wherry.db')
  return files.map((name) => readFileSync(path.join(hub.dir, 'hub', name), 'latin1')).join('')
}
const isOpen = (): boolean => [word, encoded].some((w) => onDisk().includes(w))
const keyFile = () => path.join(hub.dir, 'hub/encryption.yaml')
const read = async (name: string) => (await hub.api.get<{ data: Record<string, string> }>(`${secrets}/${name}`)).data

test('a secret is unreadable, its history as well, and a config map is what it is', async () => {
  await hub.api.create(secrets, { metadata: { name: 's' }, stringData: { password: word } })
  await hub.api.patch(`${secrets}/s`, 'merge', { stringData: { more: word } })
  await hub.api.create(secrets, { metadata: { name: 'gone' }, stringData: { password: word } })
  await hub.api.delete(`${secrets}/gone`)
  await hub.api.create('/api/v1/namespaces/default/configmaps', { metadata: { name: 'c' }, data: { a: 'plain-to-see' } })
  expect(isOpen()).toBe(false)
  expect(onDisk()).toContain('k8s:enc:aesgcm:v1:key1:')
  expect(onDisk()).toContain('plain-to-see')
  expect(await read('s')).toEqual({ password: encoded, more: encoded })
})

test('a new key seals everything anew while the hub serves; a restart reads it, also without the old key', async () => {
  const { revision } = (await hub.api.get('/wherry/v1/status')) as unknown as { revision: number }
  const change = await hub.api.create<{ key: string; rewritten: number }>('/wherry/v1/secrets/rotate', {})
  expect(change.key).toBe('key2')
  expect(change.rewritten).toBeGreaterThan(3)
  expect(onDisk()).not.toContain('k8s:enc:aesgcm:v1:key1:')
  expect(onDisk()).toContain('k8s:enc:aesgcm:v1:key2:')
  expect(((await hub.api.get('/wherry/v1/status')) as unknown as { revision: number }).revision).toBe(revision)
  const text = readFileSync(keyFile(), 'utf8')
  writeFileSync(keyFile(), text.replace(/ +- name: key1\n +secret: .*\n/, ''))
  await hub.restart()
  expect(await read('s')).toEqual({ password: encoded, more: encoded })
  const events = await hub.api.watch(`${secrets}?resourceVersion=1`)
  const seen: string[] = []
  for await (const { type, object } of events) if (seen.push(`${type} ${object.metadata.name}`) === 4) break
  expect(seen).toEqual(['ADDED s', 'MODIFIED s', 'ADDED gone', 'DELETED gone'])
})

test('nobody but an administrator changes keys', async () => {
  expect(await failureOf(hub.as('jane').create('/wherry/v1/secrets/rotate', {}))).toMatchObject({ code: 403 })
})

test('a key that is missing stops the hub with its name', async () => {
  const text = readFileSync(keyFile(), 'utf8')
  writeFileSync(keyFile(), text.replace(/name: key2/, 'name: key3'))
  await expect(hub.restart()).rejects.toThrow(/secrets default\/s cannot be opened: the key key2 is not in the file of keys/)
  writeFileSync(keyFile(), text)
  await hub.restart()
})

test('a database in which secrets lie open is sealed at the start, and nothing of them stays in the file', async () => {
  const file = path.join(hub.dir, 'plain.yaml')
  writeFileSync(file, 'kind: EncryptionConfiguration\nresources: [{resources: [secrets], providers: [{identity: {}}]}]\n')
  const other = await startHubProcess(['--encryption-provider-config', file])
  try {
    const disk = (): string => readdirSync(path.join(other.dir, 'hub')).filter((n) => n.startsWith('wherry.db')).map((n) => readFileSync(path.join(other.dir, 'hub', n), 'latin1')).join('')
    for (let i = 0; i < 20; i++) await other.api.create(secrets, { metadata: { name: `s${i}` }, stringData: { password: word } })
    await other.api.delete(`${secrets}/s7`)
    expect(disk()).toContain(encoded)
    expect(await failureOf(other.api.create('/wherry/v1/secrets/rotate', {}))).toMatchObject({ code: 405, message: expect.stringContaining('--encryption-provider-config') })
    await other.restart([])
    expect(disk()).not.toContain(encoded)
    expect((await other.api.get<{ data: unknown }>(`${secrets}/s3`)).data).toEqual({ password: encoded })
  } finally {
    await other.close()
  }
})

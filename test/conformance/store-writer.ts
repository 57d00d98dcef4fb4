/**
 * A process that writes to a store until it is killed, and prints each write that was acknowledged: `name revision`.
 * Arguments: a word that its names begin with, and where: an SQLite file, or an etcd URL and the folder of its certificates.
 */
import { readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { openEtcdStore } from '../../server/store/etcd/etcd.ts'
import { openSqliteStore } from '../../server/store/sqlite.ts'
import type { Store } from '../../server/store/store.ts'

const [word = '', where = '', pki = ''] = process.argv.slice(2)
const deps = { log: silentLog, clock: systemClock }
const pem = (name: string): string => readFileSync(join(pki, name), 'utf8')
const openEtcd = (): Promise<Store> => {
  const tls = { ca: pem('ca.crt'), cert: pem('admin.crt'), key: pem('admin.key') }
  return openEtcdStore({ ...deps, servers: [where], tls, random: Math.random, onLost: () => process.exit(1) })
}
const store = pki ? await openEtcd() : openSqliteStore({ ...deps, path: where })

async function writer(number: number): Promise<void> {
  for (let i = 0; ; i++) {
    const name = `${word}-${number}-${i}`
    const metadata = { name, namespace: 'default', uid: name, resourceVersion: '', creationTimestamp: '2026-01-01T00:00:00Z' }
    const spec = { filler: 'x'.repeat(200 * number) }
    const stored = await store.write({ resource: 'configmaps', namespace: 'default', name }, () => ({
      put: { apiVersion: 'v1', kind: 'ConfigMap', metadata, spec },
    }))
    // Straight to the pipe: what the parent reads was acknowledged before it died.
    writeSync(1, `${name} ${stored?.metadata.resourceVersion}\n`)
  }
}

await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(writer))

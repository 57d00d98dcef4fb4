/**
 * A process that writes to an SQLite store until it is killed, and prints each write that was acknowledged:
 * `name revision`. Arguments: the file, and a word that its names begin with.
 */
import { writeSync } from 'node:fs'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { openSqliteStore } from '../../server/store/sqlite.ts'

const [path = '', word = ''] = process.argv.slice(2)
const store = openSqliteStore({ path, log: silentLog, clock: systemClock })

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

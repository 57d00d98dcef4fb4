/** The runner's project of the files whose tests hold on every store: on SQLite they run as all others do, and here on a real etcd. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { TestProjectInlineConfiguration } from 'vitest/config'
import { whole } from '../chaos/plan.ts'
import { absentVariable } from '../vm/kernel.ts'
import { noEtcd } from './etcd-program.ts'

const checkout = resolve(import.meta.dirname, '../..')
/** The doors of the kit behind which there is a store. */
const standsOnStore = /\/kit\/(trial|registry)\.ts'|\buseKubectl\b/

/** What meets the API as its clients do is always tried; what is further inside writes by the same two doors. */
const always = ['server/rest', 'test/conformance'] as const
const more = ['server/registry', 'server/admit', 'server/controllers'] as const
const alone = ['server/bootstrap.test.ts', 'server/presence.test.ts'] as const

/** @param folder from the root of the checkout. @returns test files, by the same */
function storeFiles(folder: string): readonly string[] {
  return readdirSync(join(checkout, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name))
    .filter((file) => standsOnStore.test(readFileSync(join(checkout, file), 'utf8')))
}

export function etcdProject(): TestProjectInlineConfiguration {
  const place = noEtcd
    ? { runner: join(checkout, 'test/vm/absent.ts'), env: { [absentVariable]: noEtcd } }
    : { globalSetup: [join(checkout, 'test/kit/etcd-fleet.ts')] }
  const include = [...always.flatMap(storeFiles), ...(whole ? [...more.flatMap(storeFiles), ...alone] : [])]
  return { extends: true, test: { ...place, name: 'etcd', include } }
}

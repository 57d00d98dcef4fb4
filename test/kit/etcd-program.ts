/** Where the etcd of this machine is. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export const etcdProgram = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'etcd')).find((path) => existsSync(path))

/** Why tests with a real etcd cannot run here; '' where they can. */
export const noEtcd = etcdProgram ? '' : 'there is no etcd: sh bin/setup --test installs it'

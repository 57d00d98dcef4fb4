import { join } from 'node:path'
import type { EtcdServer } from '../kit/etcd.ts'

/** A hub's flags for this etcd. */
export function etcdFlags({ url, pki }: Pick<EtcdServer, 'url' | 'pki'>): readonly string[] {
  const at = (name: string): string => join(pki, name)
  return ['--etcd-servers', url, '--etcd-cafile', at('ca.crt'), '--etcd-certfile', at('admin.crt'), '--etcd-keyfile', at('admin.key')]
}

/** The administrator's kubeconfig: one file with all that kubectl needs. */
import { stringify } from 'yaml'

import type { KeyedCertificate } from './certificate.ts'
import { adminName } from './pki.ts'

export interface KubeconfigParts {
  /** e.g. `https://127.0.0.1:6443` */
  readonly server: string
  /** PEM. */
  readonly ca: string
  readonly admin: KeyedCertificate
}

/** client-go's `Config` (clientcmd/v1) as YAML, with the certificates inside. */
export function adminKubeconfig({ server, ca, admin }: KubeconfigParts): string {
  const data = (pem: string): string => Buffer.from(pem).toString('base64')
  const cluster = 'wherry'
  const user = { 'client-certificate-data': data(admin.certificate), 'client-key-data': data(admin.key) }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': data(ca) } }],
    users: [{ name: adminName, user }],
    contexts: [{ name: cluster, context: { cluster, user: adminName } }],
    'current-context': cluster,
  }
  return stringify(config, { lineWidth: 0 })
}

/** A kubeconfig: one file with all that kubectl, or a service proxy, needs. */
import { stringify } from 'yaml'

import type { KeyedCertificate } from './certificate.ts'
export interface KubeconfigParts {
  /** e.g. `https://127.0.0.1:6443` */
  readonly server: string
  /** PEM. */
  readonly ca: string
  /** The user's name in the file; who it is, the certificate says. */
  readonly user: string
  readonly certificate: KeyedCertificate
}

/** client-go's `Config` (clientcmd/v1) as YAML, with the certificates inside. */
export function kubeconfig({ server, ca, user, certificate }: KubeconfigParts): string {
  const data = (pem: string): string => Buffer.from(pem).toString('base64')
  const cluster = 'wherry'
  const credentials = { 'client-certificate-data': data(certificate.certificate), 'client-key-data': data(certificate.key) }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': data(ca) } }],
    users: [{ name: user, user: credentials }],
    contexts: [{ name: cluster, context: { cluster, user } }],
    'current-context': cluster,
  }
  return stringify(config, { lineWidth: 0 })
}

/** The hub's flags, and the only place where it reads its environment. */
import { parseArgs } from 'node:util'
import { WherryError } from '../api/errors.ts'
import type { LogLevel } from '../api/log.ts'
import { parseRanges } from './admit/ranges.ts'

export interface HubConfig {
  /** Where database, PKI and token are kept. */
  readonly data: string
  readonly listen: { readonly host: string; readonly port: number }
  /** A snapshot to put in place of the database, instead of serving. */
  readonly restore?: string
  /** Where objects are kept; absent: in the data directory. */
  readonly etcd?: EtcdConfig
  /** A listening socket that the parent process opened and passed on: connections wait in it while the hub restarts. */
  readonly listenFd?: number
  /** The URL that the admin's kubeconfig names. */
  readonly kubeconfigServer: string
  /** Further names and addresses for the server's certificate. */
  readonly tlsSans: readonly string[]
  readonly clusterCIDR: string
  /** One range, or one of each family with a comma between them. */
  readonly serviceCIDR: string
  /** The `iss` of the tokens of service accounts. */
  readonly serviceAccountIssuer: string
  /** Where the audit log goes; absent for none. */
  readonly audit?: { readonly path: string; readonly maxBytes: number; readonly backups: number }
  /** The keys by which secrets are sealed, where they are not the hub's own. */
  readonly encryptionConfig?: string
  readonly logLevel: LogLevel
}

export interface EtcdConfig {
  readonly servers: readonly string[]
  /** PEM files. */
  readonly cafile?: string
  readonly certfile?: string
  readonly keyfile?: string
}

export const usage = `Usage: hub --data DIR [options]

  --data DIR                 database, certificates and the join token (made at the first start)
  --listen HOST:PORT         where the API is served (default 127.0.0.1:6443)
  --listen-fd N              serve on this inherited listening socket as well
  --kubeconfig-server URL    the URL written into admin.kubeconfig (default https:// and --listen); pods reach the hub at its
                             address where --listen is 0.0.0.0 or loopback
  --tls-san NAME[,NAME]      further names or addresses for the server's certificate
  --cluster-cidr CIDR        pod addresses (default 10.244.0.0/16)
  --service-cidr CIDR[,CIDR] virtual IPs (default 10.96.0.0/12); for both families 10.96.0.0/12,fd00:10:96::/112
  --etcd-servers URL[,URL]   keep objects in this etcd, which other hubs may use as well (default: SQLite in --data)
  --etcd-cafile FILE         the CA of etcd's certificates
  --etcd-certfile FILE       the certificate by which etcd knows this hub, and
  --etcd-keyfile FILE        its key
  --restore FILE             put this snapshot in the place of the database in --data, and end
  --service-account-issuer URL  who signs the tokens of service accounts (default https://kubernetes.default.svc.cluster.local)
  --encryption-provider-config FILE  the keys that seal secrets on disk (default encryption.yaml in --data, made at the first start)
  --audit-log-path FILE      who asked for what: a JSON line for each request (default: none)
  --audit-log-maxsize MB     from here the audit log is moved aside (default 100)
  --audit-log-maxbackup N    how many logs that were moved aside are kept (default 10)
  --log-level LEVEL          error, warn, info, debug or trace (default info; or WHERRY_LOG)
`

const levels: readonly string[] = ['error', 'warn', 'info', 'debug', 'trace']

/** @throws WherryError USAGE, naming the flag */
export function parseConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>> = process.env): HubConfig {
  const { values } = read(argv)
  if (!values.data) throw new WherryError('USAGE', `--data is missing: say where the hub keeps its state\n\n${usage}`)
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(values.listen) ?? []
  if (!host || Number(port) > 65535) throw new WherryError('USAGE', `--listen ${values.listen}: expected HOST:PORT`)
  const fd = values['listen-fd']
  if (fd !== undefined && !/^\d+$/.test(fd)) throw new WherryError('USAGE', `--listen-fd ${fd}: expected a number`)
  const logLevel = values['log-level'] ?? env['WHERRY_LOG'] ?? 'info'
  if (!levels.includes(logLevel)) throw new WherryError('USAGE', `--log-level ${logLevel}: expected one of ${levels.join(', ')}`)
  const clusterCIDR = values['cluster-cidr']
  if (!/^\d+\.\d+\.\d+\.\d+\/\d+$/.test(clusterCIDR)) throw new WherryError('USAGE', `--cluster-cidr ${clusterCIDR}: expected an IPv4 range such as 10.244.0.0/16`)
  checkServiceCIDR(values['service-cidr'])
  const etcd = etcdOf(values)
  if (etcd && values.restore !== undefined) throw new WherryError('USAGE', '--restore is for the database in --data; etcd is restored with etcdctl')
  return {
    data: values.data,
    listen: { host, port: Number(port) },
    ...(etcd && { etcd }),
    ...(values.restore !== undefined && { restore: values.restore }),
    ...(fd !== undefined && { listenFd: Number(fd) }),
    kubeconfigServer: values['kubeconfig-server'] ?? `https://${values.listen}`,
    tlsSans: (values['tls-san'] ?? '').split(',').filter((s) => s !== ''),
    clusterCIDR,
    serviceCIDR: values['service-cidr'],
    serviceAccountIssuer: values['service-account-issuer'],
    ...(values['audit-log-path'] !== undefined && { audit: auditOf(values['audit-log-path'], values) }),
    ...(values['encryption-provider-config'] !== undefined && { encryptionConfig: values['encryption-provider-config'] }),
    logLevel: logLevel as LogLevel,
  }
}

type EtcdFlag = 'etcd-servers' | 'etcd-cafile' | 'etcd-certfile' | 'etcd-keyfile'

function etcdOf(flags: { readonly [flag in EtcdFlag]?: string | undefined }): EtcdConfig | undefined {
  const { 'etcd-servers': list, 'etcd-cafile': cafile, 'etcd-certfile': certfile, 'etcd-keyfile': keyfile } = flags
  const files = { ...(cafile && { cafile }), ...(certfile && { certfile }), ...(keyfile && { keyfile }) }
  if (list === undefined) {
    const alone = Object.keys(files)[0]
    if (alone) throw new WherryError('USAGE', `--etcd-${alone} is given without --etcd-servers`)
    return undefined
  }
  const servers = list.split(',')
  for (const server of servers) {
    if (!isServer(server)) throw new WherryError('USAGE', `--etcd-servers ${server}: expected https://HOST:PORT, or several with commas between them`)
    if (server.startsWith('http:') && Object.keys(files).length > 0) throw new WherryError('USAGE', `--etcd-servers ${server}: certificates are used with https:// only`)
  }
  if (!certfile !== !keyfile) throw new WherryError('USAGE', `--etcd-${certfile ? 'keyfile' : 'certfile'} is missing: the certificate and its key go together`)
  return { servers, ...files }
}

function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, pathname, search, username } = new URL(text)
  return (protocol === 'https:' || protocol === 'http:') && hostname !== '' && pathname === '/' && search === '' && username === '' && /:\d+\/?$/.test(text)
}

interface AuditFlags {
  readonly 'audit-log-maxsize': string
  readonly 'audit-log-maxbackup': string
}

function auditOf(path: string, values: AuditFlags): NonNullable<HubConfig['audit']> {
  const number = (flag: keyof AuditFlags, least: number): number => {
    const text = values[flag]
    if (/^\d{1,6}$/.test(text) && Number(text) >= least) return Number(text)
    throw new WherryError('USAGE', `--${flag} ${text}: expected a whole number from ${least} up`)
  }
  if (path === '') throw new WherryError('USAGE', '--audit-log-path is empty: name a file')
  return { path, maxBytes: number('audit-log-maxsize', 1) * 1024 * 1024, backups: number('audit-log-maxbackup', 0) }
}

function checkServiceCIDR(text: string): void {
  try {
    parseRanges(text)
  } catch (e) {
    throw new WherryError('USAGE', `--service-cidr: ${(e as Error).message}`, { cause: e })
  }
}

function read(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        data: { type: 'string' },
        listen: { type: 'string', default: '127.0.0.1:6443' },
        'listen-fd': { type: 'string' },
        'kubeconfig-server': { type: 'string' },
        'tls-san': { type: 'string' },
        'cluster-cidr': { type: 'string', default: '10.244.0.0/16' },
        'service-cidr': { type: 'string', default: '10.96.0.0/12' },
        restore: { type: 'string' },
        'etcd-servers': { type: 'string' },
        'etcd-cafile': { type: 'string' },
        'etcd-certfile': { type: 'string' },
        'etcd-keyfile': { type: 'string' },
        'service-account-issuer': { type: 'string', default: 'https://kubernetes.default.svc.cluster.local' },
        'encryption-provider-config': { type: 'string' },
        'audit-log-path': { type: 'string' },
        'audit-log-maxsize': { type: 'string', default: '100' },
        'audit-log-maxbackup': { type: 'string', default: '10' },
        'log-level': { type: 'string' },
      },
    })
  } catch (e) {
    throw new WherryError('USAGE', `${(e as Error).message}\n\n${usage}`, { cause: e })
  }
}

/** The roles and bindings that every cluster has (rbac.authorization.k8s.io/v1), as Kubernetes names and fills them. */
import type { PolicyRule, Subject } from '../../api/objects.ts'
import { groups, proxyName } from '../auth/auth.ts'

export interface DefaultRole {
  readonly name: string
  readonly rules: readonly PolicyRule[]
  readonly labels?: Readonly<Record<string, string>>
  /** Its rules are those of the roles with this label. */
  readonly aggregates?: string
}

export interface DefaultBinding {
  readonly role: string
  readonly subjects: readonly Subject[]
}

const reads = ['get', 'list', 'watch']
const writes = ['create', 'delete', 'deletecollection', 'patch', 'update']
const rbac = 'rbac.authorization.k8s.io'

const on = (group: string | readonly string[], resources: readonly string[], verbs: readonly string[]): PolicyRule => ({
  verbs: [...verbs],
  apiGroups: typeof group === 'string' ? [group] : [...group],
  resources: [...resources],
})
const urls = (...nonResourceURLs: string[]): PolicyRule => ({ verbs: ['get'], nonResourceURLs })

const healthURLs = ['/healthz', '/livez', '/readyz']
const versionURLs = ['/version', '/version/']

/** What the people of a namespace work with. */
const workloads: readonly PolicyRule[] = [
  on('', ['configmaps', 'persistentvolumeclaims', 'replicationcontrollers', 'replicationcontrollers/scale', 'serviceaccounts', 'services'], writes),
  on('', ['pods'], writes),
  on('', ['pods/eviction'], ['create']),
  on('apps', ['daemonsets', 'deployments', 'deployments/rollback', 'deployments/scale', 'replicasets', 'replicasets/scale', 'statefulsets', 'statefulsets/scale'], writes),
  on('autoscaling', ['horizontalpodautoscalers'], writes),
  on('batch', ['cronjobs', 'jobs'], writes),
  on('networking.k8s.io', ['ingresses', 'networkpolicies'], writes),
  on('policy', ['poddisruptionbudgets'], writes),
  on('coordination.k8s.io', ['leases'], [...reads, ...writes]),
  on('', ['secrets'], [...reads, ...writes]),
  on('', ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'services/proxy'], [...reads, ...writes]),
  on('', ['serviceaccounts'], ['impersonate']),
  on('', ['serviceaccounts/token'], ['create']),
  on('', ['events'], writes),
]

const viewing: readonly PolicyRule[] = [
  on('', ['configmaps', 'endpoints', 'persistentvolumeclaims', 'persistentvolumeclaims/status', 'pods', 'serviceaccounts', 'services', 'services/status'], reads),
  on('', ['replicationcontrollers', 'replicationcontrollers/scale', 'replicationcontrollers/status'], reads),
  on('', ['bindings', 'events', 'limitranges', 'namespaces', 'namespaces/status', 'pods/log', 'pods/status', 'resourcequotas', 'resourcequotas/status'], reads),
  on('discovery.k8s.io', ['endpointslices'], reads),
  on('apps', ['controllerrevisions', 'daemonsets', 'daemonsets/status', 'deployments', 'deployments/scale', 'deployments/status'], reads),
  on('apps', ['replicasets', 'replicasets/scale', 'replicasets/status', 'statefulsets', 'statefulsets/scale', 'statefulsets/status'], reads),
  on('autoscaling', ['horizontalpodautoscalers', 'horizontalpodautoscalers/status'], reads),
  on('batch', ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status'], reads),
  on('networking.k8s.io', ['ingresses', 'ingresses/status', 'networkpolicies'], reads),
  on('policy', ['poddisruptionbudgets', 'poddisruptionbudgets/status'], reads),
]

/** The label by which a role becomes a part of `admin`, `edit` or `view`. */
const toRole = (role: string): string => `rbac.authorization.k8s.io/aggregate-to-${role}`
const partOf = (role: string, rules: readonly PolicyRule[]): DefaultRole => ({ name: `system:aggregate-to-${role}`, labels: { [toRole(role)]: 'true' }, rules })
const whole = (role: string, above?: string): DefaultRole => ({
  name: role,
  rules: [],
  aggregates: toRole(role),
  ...(above && { labels: { [toRole(above)]: 'true' } }),
})

const certificates = 'certificates.k8s.io'
const requests = 'certificatesigningrequests'
const signer = (name: string, verb: 'approve' | 'sign'): PolicyRule => ({ ...on(certificates, ['signers'], [verb]), resourceNames: [`kubernetes.io/${name}`] })

export const defaultRoles: readonly DefaultRole[] = [
  { name: 'cluster-admin', rules: [on('*', ['*'], ['*']), { verbs: ['*'], nonResourceURLs: ['*'] }] },
  { name: 'system:discovery', rules: [urls('/api', '/api/*', '/apis', '/apis/*', ...healthURLs, '/openapi', '/openapi/*', ...versionURLs)] },
  {
    name: 'system:basic-user',
    rules: [on('authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']), on('authentication.k8s.io', ['selfsubjectreviews'], ['create'])],
  },
  { name: 'system:public-info-viewer', rules: [urls(...healthURLs, ...versionURLs)] },
  { name: 'system:monitoring', rules: [urls(...healthURLs, '/livez/*', '/readyz/*', '/healthz/*', '/metrics', '/metrics/slis')] },
  whole('admin'),
  whole('edit', 'admin'),
  whole('view', 'edit'),
  partOf('admin', [
    on('authorization.k8s.io', ['localsubjectaccessreviews'], ['create']),
    on(rbac, ['rolebindings', 'roles'], [...reads, ...writes]),
  ]),
  partOf('edit', workloads),
  partOf('view', viewing),
  {
    name: 'system:aggregated-metrics-reader',
    labels: Object.fromEntries(['admin', 'edit', 'view'].map((role) => [toRole(role), 'true'])),
    rules: [on('metrics.k8s.io', ['nodes', 'pods'], reads)],
  },
  {
    name: 'system:node-proxier',
    rules: [on('', ['endpoints', 'services', 'nodes'], reads), on('discovery.k8s.io', ['endpointslices'], reads), on(['', 'events.k8s.io'], ['events'], ['create', 'patch', 'update'])],
  },
  {
    name: 'system:auth-delegator',
    rules: [on('authentication.k8s.io', ['tokenreviews'], ['create']), on('authorization.k8s.io', ['subjectaccessreviews'], ['create'])],
  },
  { name: 'system:node-bootstrapper', rules: [on(certificates, [requests], ['create', ...reads])] },
  { name: 'system:service-account-issuer-discovery', rules: [urls('/.well-known/openid-configuration', '/openid/v1/jwks')] },
  { name: 'system:certificates.k8s.io:certificatesigningrequests:nodeclient', rules: [on(certificates, [`${requests}/nodeclient`], ['create'])] },
  { name: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient', rules: [on(certificates, [`${requests}/selfnodeclient`], ['create'])] },
  ...['kube-apiserver-client', 'kube-apiserver-client-kubelet', 'kubelet-serving'].map((name) => ({
    name: `system:certificates.k8s.io:${name}-approver`,
    rules: [signer(name, 'approve')],
  })),
]

/** Machines with a token of `wherry token create`. */
const joining = 'system:bootstrappers:wherry:nodes'
const group = (name: string): Subject => ({ kind: 'Group', apiGroup: rbac, name })
const user = (name: string): Subject => ({ kind: 'User', apiGroup: rbac, name })

/** Each binding has the name of its role. */
export const defaultBindings: readonly DefaultBinding[] = [
  { role: 'cluster-admin', subjects: [group(groups.admins)] },
  { role: 'system:discovery', subjects: [group(groups.authenticated)] },
  { role: 'system:basic-user', subjects: [group(groups.authenticated)] },
  { role: 'system:public-info-viewer', subjects: [group(groups.authenticated), group('system:unauthenticated')] },
  { role: 'system:monitoring', subjects: [group('system:monitoring')] },
  { role: 'system:node-proxier', subjects: [user(proxyName), group(proxyName), group(groups.proxies)] },
  { role: 'system:node-bootstrapper', subjects: [group(joining)] },
  { role: 'system:certificates.k8s.io:certificatesigningrequests:nodeclient', subjects: [group(joining)] },
  { role: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient', subjects: [group(groups.nodes)] },
  { role: 'system:service-account-issuer-discovery', subjects: [group('system:serviceaccounts')] },
]

/** The columns of ingresses, their classes and network policies. */
import type { Ingress, IngressClass, NetworkPolicy } from '../../../api/objects.ts'
import { ageColumn, firstThree, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'
import { selectorText } from './workloads.ts'

const addressesOf = ({ status }: Ingress): readonly string[] => (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '')

function hostsText({ spec }: Ingress): string {
  const hosts = (spec?.rules ?? []).map(({ host }) => host).filter((host) => host !== undefined && host !== '')
  return hosts.length === 0 ? '*' : firstThree(hosts as readonly string[])
}

export const ingressColumns: readonly Column<Ingress>[] = [
  nameColumn,
  {
    name: 'Class',
    description: 'Which controller is to serve it.',
    cell: ({ spec, metadata }) => spec?.ingressClassName ?? metadata.annotations?.['kubernetes.io/ingress.class'] ?? '<none>',
  },
  { name: 'Hosts', description: 'Names by which it is reached.', cell: hostsText },
  { name: 'Address', description: 'Where it is reached.', cell: (i) => addressesOf(i).join(',') },
  { name: 'Ports', description: 'Ports at which it is reached.', cell: ({ spec }) => (spec?.tls?.length ? '80, 443' : '80') },
  ageColumn,
]

export const ingressClassColumns: readonly Column<IngressClass>[] = [
  nameColumn,
  { name: 'Controller', description: 'Who serves ingresses of this class.', cell: (c) => c.spec?.controller ?? '' },
  {
    name: 'Parameters',
    description: 'The object that has its settings.',
    cell: ({ spec }) => {
      const { apiGroup, kind, name } = spec?.parameters ?? {}
      return name ? `${kind}${apiGroup ? `.${apiGroup}` : ''}/${name}` : '<none>'
    },
  },
  ageColumn,
]

export const networkPolicyColumns: readonly Column<NetworkPolicy>[] = [
  nameColumn,
  { name: 'Pod-Selector', description: 'Labels of the pods that it is about.', cell: (p) => selectorText(p.spec?.podSelector) },
  ageColumn,
]

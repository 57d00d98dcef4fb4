/** A service by its name, and the words where there is none. Pure. */
import { keyOf, type Service } from '../api/objects.ts'
import { type Cluster, clusterIPsOf } from './cluster.ts'
import { CliError } from './error.ts'

/**
 * @param text `NAMESPACE/NAME`, or `NAME` for the namespace default
 * @throws CliError USAGE, with the services of that name in other namespaces, or else with some that there are
 */
export function serviceNamed({ services }: Cluster, text: string): Service {
  const key = text.includes('/') ? text : `default/${text}`
  const service = services.find((candidate) => keyOf(candidate) === key)
  if (service) return service
  const name = key.slice(key.indexOf('/') + 1)
  const alike = services.filter(({ metadata }) => metadata.name === name)
  throw new CliError('USAGE', `there is no service ${key}`, `name one of ${listed(alike.length > 0 ? alike : services)}`)
}

/** `default/web 10.96.0.1, default/db None and 40 more` */
export function listed(services: readonly Service[]): string {
  if (services.length === 0) return 'those that you make first'
  return few(services.map((service) => [keyOf(service), clusterIPsOf(service).join(',')].filter(Boolean).join(' ')))
}

const most = 8

export function few(texts: readonly string[]): string {
  return texts.length > most ? `${texts.slice(0, most).join(', ')} and ${texts.length - most} more` : texts.join(', ')
}

/**
 * Which address families a Service (core/v1) has: `ipFamilyPolicy` and `ipFamilies`, from what the client says and what the
 * cluster offers (KEP-563). Nothing is added to or taken from a service that is not asked to change. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import type { ServiceSpec } from '../../api/objects.ts'
import type { StatusCause } from '../../api/status.ts'
import { wrong } from './causes.ts'
import { familyOf, type Family } from './ranges.ts'
import { isHeadless } from './validate/service.ts'

export interface FamilyContext {
  /** The service as it was, undefined for a new one. */
  readonly old: ServiceSpec | undefined
  /** What the cluster has, its own family first. */
  readonly cluster: readonly Family[]
}

const policyField = 'spec.ipFamilyPolicy'
const fields = ['ipFamilyPolicy', 'ipFamilies', 'clusterIPs'] as const

export interface Settled {
  /** With its families, unless there are causes. */
  readonly spec: ServiceSpec
  /** Why it cannot have them. */
  readonly causes: readonly StatusCause[]
}

/** @param spec as the client wants it, with what it keeps of the old one */
export function withFamilies(spec: ServiceSpec, { old, cluster }: FamilyContext): Settled {
  if (spec.type === 'ExternalName') return { spec, causes: [] }
  if (old?.ipFamilies?.length && fields.every((f) => isDeepStrictEqual(old[f], spec[f]))) return { spec, causes: [] }
  const alone = isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0
  const policy = spec.ipFamilyPolicy ?? (alone ? 'RequireDualStack' : 'SingleStack')
  const { causes, families } = stated({ ...spec, ipFamilyPolicy: policy }, old, cluster)
  if (causes.length > 0) return { spec, causes }
  // Its addresses are in slices that somebody writes by hand: what the cluster has does not matter.
  const offered: readonly Family[] = alone ? ['IPv4', 'IPv6'] : cluster
  const refused = alone ? [] : notOffered(policy, families, cluster)
  if (refused.length > 0) return { spec, causes: refused }
  const first = families[0] ?? cluster[0]!
  const second = families[1] ?? (policy === 'SingleStack' ? undefined : offered.find((f) => f !== first))
  return { spec: { ...spec, ipFamilyPolicy: policy, ipFamilies: second ? [first, second] : [first] }, causes: [] }
}

/** The families that the client named, or that follow from the addresses that it named. */
function stated(spec: ServiceSpec, old: ServiceSpec | undefined, cluster: readonly Family[]) {
  const { ipFamilyPolicy: policy, clusterIPs = [] } = spec
  const families = [...((spec.ipFamilies ?? []) as Family[])]
  const causes: StatusCause[] = []
  const lists = [
    ['cluster IP', clusterIPs, old?.clusterIPs],
    ['IP family', families, old?.ipFamilies],
  ] as const
  for (const [what, now, before = []] of lists) {
    if (policy === 'SingleStack' && now.length > 1) {
      const plural = what === 'cluster IP' ? 'cluster IPs' : 'IP families'
      causes.push(wrong(policyField, policy, `must be 'RequireDualStack' or 'PreferDualStack' when several ${plural} are specified`))
    }
    if (policy !== 'SingleStack' && before.length > 1 && now.length === 1 && now[0] === before[0])
      causes.push(wrong(policyField, policy, `must be 'SingleStack' to release the secondary ${what}`))
  }
  for (const [i, ip] of clusterIPs.entries()) {
    const family = familyOf(ip)
    if (!family || i < families.length) continue
    if (cluster.includes(family)) families.push(family)
    else causes.push(wrong(`spec.clusterIPs[${i}]`, ip, `${family} is not configured on this cluster, ${rangeAdvice}`))
  }
  return { causes, families }
}

const rangeAdvice = 'whose services have the families of its --service-cidr'

function notOffered(policy: string, families: readonly Family[], cluster: readonly Family[]): readonly StatusCause[] {
  const causes: StatusCause[] = []
  if (policy === 'RequireDualStack' && cluster.length < 2) {
    const wayOut = "use 'SingleStack' or 'PreferDualStack', or start the hub with a range of each family in --service-cidr"
    causes.push(wrong(policyField, policy, `this cluster has one address family: ${wayOut}`))
  }
  for (const [i, family] of families.entries())
    if (!cluster.includes(family)) causes.push(wrong(`spec.ipFamilies[${i}]`, family, `not configured on this cluster, ${rangeAdvice}`))
  return causes
}

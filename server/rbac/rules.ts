/** What the rules of roles allow (rbac.authorization.k8s.io/v1 PolicyRule). Pure. */
import type { PolicyRule } from '../../api/objects.ts'
import type { Wish } from '../auth/auth.ts'

const every = '*'
const has = (words: readonly string[] | undefined, word: string): boolean =>
  words !== undefined && (words.includes(every) || words.includes(word))

/** Whether one rule allows a wish. */
export function allows(rule: PolicyRule, wish: Wish): boolean {
  if (!has(rule.verbs, wish.verb)) return false
  if (wish.resource === undefined) return (rule.nonResourceURLs ?? []).some((url) => urlCovers(url, wish.path))
  const { plural, group } = splitResource(wish.resource)
  if (!has(rule.apiGroups, group) || !resourceCovers(rule.resources ?? [], plural, wish.subresource)) return false
  const names = rule.resourceNames ?? []
  return names.length === 0 || (wish.name !== undefined && names.includes(wish.name))
}

/** `deployments.apps` taken apart. */
export function splitResource(resource: string): { readonly plural: string; readonly group: string } {
  const dot = resource.indexOf('.')
  return dot < 0 ? { plural: resource, group: '' } : { plural: resource.slice(0, dot), group: resource.slice(dot + 1) }
}

/** A resource stands for itself alone: its subresources are named, or `*` and a slash stand before them. */
function resourceCovers(resources: readonly string[], plural: string, subresource?: string): boolean {
  if (resources.includes(every)) return true
  if (!subresource) return resources.includes(plural)
  return resources.includes(`${plural}/${subresource}`) || resources.includes(`${every}/${subresource}`)
}

/** A star at the end stands for whatever follows. */
function urlCovers(url: string, path: string): boolean {
  return url === path || (url.endsWith(every) && path.startsWith(url.slice(0, -1)))
}

/**
 * The part of `asked` that `owned` does not give, each as a rule of one verb on one thing; empty where all is given.
 * The list is cut at a hundred.
 */
export function beyond(owned: readonly PolicyRule[], asked: readonly PolicyRule[]): readonly PolicyRule[] {
  const missing: PolicyRule[] = []
  for (const rule of asked) {
    for (const atom of atomsOf(rule)) {
      if (!owned.some((o) => coversAtom(o, atom))) missing.push(atom)
      if (missing.length >= 100) return missing
    }
  }
  return missing
}

function* atomsOf({ verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule): Generator<PolicyRule> {
  for (const verb of verbs) {
    for (const url of nonResourceURLs) yield { verbs: [verb], nonResourceURLs: [url] }
    for (const group of apiGroups) {
      for (const resource of resources) {
        const atom = { verbs: [verb], apiGroups: [group], resources: [resource] }
        if (resourceNames.length === 0) yield atom
        for (const name of resourceNames) yield { ...atom, resourceNames: [name] }
      }
    }
  }
}

/** What is asked for with a star is covered by a star alone. */
function coversAtom(rule: PolicyRule, atom: PolicyRule): boolean {
  if (!has(rule.verbs, atom.verbs[0]!)) return false
  const url = atom.nonResourceURLs?.[0]
  if (url !== undefined) return (rule.nonResourceURLs ?? []).some((u) => urlCovers(u, url))
  if (!has(rule.apiGroups, atom.apiGroups![0]!)) return false
  const [plural = '', subresource] = atom.resources![0]!.split('/')
  if (!resourceCovers(rule.resources ?? [], plural, subresource)) return false
  const names = rule.resourceNames ?? []
  const name = atom.resourceNames?.[0]
  return names.length === 0 || (name !== undefined && names.includes(name))
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`, the form in which Kubernetes' users know a rule. */
export function ruleText({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: PolicyRule): string {
  const parts = Object.entries({ APIGroups: apiGroups, Resources: resources, ResourceNames: resourceNames, NonResourceURLs: nonResourceURLs, Verbs: verbs })
  const shown = parts.flatMap(([name, words]) => (words ? [`${name}:[${words.map((w) => JSON.stringify(w)).join(', ')}]`] : []))
  return `{${shown.join(', ')}}`
}

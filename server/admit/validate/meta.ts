/** Checks of `metadata` (meta/v1 ObjectMeta), of labels and of label selectors wherever they stand. */
import { labelKeyProblem, labelValueProblem } from '../../../api/labels.ts'
import type { LabelSelector, ObjectMeta } from '../../../api/objects.ts'
import type { Resource } from '../../../api/resources.ts'
import { duplicate, forbidden, required, tooLong, unsupported, wrong, type Causes } from '../causes.ts'
import { dns1035Label, dnsLabel, dnsSubdomain, pathSegment, type Form } from './names.ts'

/** All annotations of an object together, in bytes. */
const maxAnnotations = 256 * 1024

const nameForms: { readonly [R in Resource]?: Form } = {
  namespaces: dnsLabel,
  services: dns1035Label,
  'certificatesigningrequests.certificates.k8s.io': pathSegment,
  'roles.rbac.authorization.k8s.io': pathSegment,
  'rolebindings.rbac.authorization.k8s.io': pathSegment,
  'clusterroles.rbac.authorization.k8s.io': pathSegment,
  'clusterrolebindings.rbac.authorization.k8s.io': pathSegment,
}

/** What the name of a kind's objects must look like. */
export function nameForm(resource: Resource): Form {
  return nameForms[resource] ?? dnsSubdomain
}

/** @param meta of an object whose name is settled */
export function* validateMeta(resource: Resource, meta: ObjectMeta): Causes {
  const form = nameForm(resource)
  // A prefix may end with what a name may not end with.
  if (meta.generateName) yield* text('metadata.generateName', meta.generateName, (prefix) => form(prefix.replace(/[-.]$/, 'a')))
  if (meta.name === '') yield required('metadata.name', 'name or generateName is required')
  else yield* text('metadata.name', meta.name, form)
  yield* validateLabels('metadata.labels', meta.labels)
  yield* validateAnnotations('metadata.annotations', meta.annotations)
  for (const [i, finalizer] of (meta.finalizers ?? []).entries())
    yield* text(`metadata.finalizers[${i}]`, finalizer, labelKeyProblem)
  if (meta.finalizers?.includes('orphan') && meta.finalizers.includes('foregroundDeletion'))
    yield wrong('metadata.finalizers', meta.finalizers, 'finalizer orphan and foregroundDeletion cannot be both set')
  yield* validateOwners(meta.ownerReferences ?? [])
}

/** One text against one form. */
export function* text(field: string, value: string, form: Form): Causes {
  const problem = form(value)
  if (problem) yield wrong(field, value, problem)
}

export function* validateLabels(field: string, labels: Readonly<Record<string, string>> | undefined): Causes {
  for (const [key, value] of Object.entries(labels ?? {})) {
    yield* text(field, key, labelKeyProblem)
    yield* text(field, value, labelValueProblem)
  }
}

export function* validateAnnotations(field: string, annotations: Readonly<Record<string, string>> | undefined): Causes {
  let size = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    yield* text(field, key, (k) => labelKeyProblem(k.toLowerCase()))
    size += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (size > maxAnnotations) yield tooLong(field, `may not be more than ${maxAnnotations} bytes, keys and values together`)
}

function* validateOwners(owners: NonNullable<ObjectMeta['ownerReferences']>): Causes {
  let controller: string | undefined
  for (const [i, owner] of owners.entries()) {
    const field = `metadata.ownerReferences[${i}]`
    for (const key of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (owner[key] === '') yield required(`${field}.${key}`, 'must name the owner')
    }
    if (!owner.controller) continue
    if (controller !== undefined)
      yield wrong(`${field}.controller`, true, `only one owner can be the controller, and ${controller} is`)
    controller = `${owner.kind}/${owner.name}`
  }
}

/** meta/v1 LabelSelector. */
export function* validateSelector(field: string, selector: LabelSelector): Causes {
  yield* validateLabels(`${field}.matchLabels`, selector.matchLabels)
  for (const [i, { key, operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const at = `${field}.matchExpressions[${i}]`
    yield* text(`${at}.key`, key, labelKeyProblem)
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) yield required(`${at}.values`, "must be given where `operator` is 'In' or 'NotIn'")
      for (const [j, value] of values.entries()) yield* text(`${at}.values[${j}]`, value, labelValueProblem)
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0) yield forbidden(`${at}.values`, "may not be given where `operator` is 'Exists' or 'DoesNotExist'")
    } else yield unsupported(`${at}.operator`, operator, ['In', 'NotIn', 'Exists', 'DoesNotExist'])
  }
}

/** Each key of a list once. @param place of an item, from its index */
export function* unique(keys: readonly (string | undefined)[], place: (index: number) => string): Causes {
  const seen = new Set<string>()
  for (const [i, key] of keys.entries()) {
    if (key === undefined) continue
    if (seen.has(key)) yield duplicate(place(i), key)
    seen.add(key)
  }
}

/**
 * Whether an object has the shape of its kind: types, required fields, closed sets of words. The compiled validators are
 * those of `kubernetes-models`; each is loaded when its kind is first written.
 */
import type { ResourceKind } from '../../../api/resources.ts'
import type { StatusCause } from '../../../api/status.ts'
import { definitionStructure } from '../../custom/definition.ts'
import { customOf } from '../../custom/kind.ts'
import { definitions } from '../../custom/kinds.ts'
import { required, typeNames, unsupported, wrong } from '../causes.ts'

/** What the compiled validators report (an ajv error object). */
interface Fault {
  readonly instancePath: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
}
type Compiled = ((data: unknown) => boolean) & { errors?: readonly Fault[] | null }

/** Finds what is wrong with the shape of an object; the list is bounded. */
export type Structure = (object: unknown) => readonly StatusCause[]

/** `IoK8sApiAppsV1Deployment`: the first word of the group, the version and the kind, as the models' package names its schemas. */
function schemaOf({ resource, group, version, kind }: ResourceKind): string {
  if (resource === definitions) return 'IoK8sApiextensionsApiserverPkgApisApiextensionsV1CustomResourceDefinition'
  const words = [group === '' ? 'core' : group.split('.', 1)[0]!, version]
  return `IoK8sApi${words.map((w) => w[0]!.toUpperCase() + w.slice(1)).join('')}${kind}`
}

/** More are not told of at once. */
const maxCauses = 50

/** The structural check of a kind. */
export async function loadStructure(of: ResourceKind): Promise<Structure> {
  if (customOf(of)) return metadataStructure()
  const { validate } = (await import(`kubernetes-models/_schemas/${schemaOf(of)}`)) as { readonly validate: Compiled }
  const structure: Structure = (object) => (validate(object) ? [] : causesOf(validate.errors ?? [], object))
  return of.resource === definitions ? definitionStructure(structure) : structure
}

/** Of a kind that somebody defined only the metadata has a type that is known beforehand. */
async function metadataStructure(): Promise<Structure> {
  const { validate } = (await import('@kubernetes-models/apimachinery/_schemas/IoK8sApimachineryPkgApisMetaV1ObjectMeta')) as { readonly validate: Compiled }
  return (object) => {
    const { metadata } = object as { readonly metadata?: unknown }
    if (validate(metadata)) return []
    return causesOf((validate.errors ?? []).map((fault) => ({ ...fault, instancePath: `/metadata${fault.instancePath}` })), object)
  }
}

/** One cause for each place: a value that fits none of several forms is one fault, not one for each form. */
function causesOf(faults: readonly Fault[], object: unknown): readonly StatusCause[] {
  const causes = new Map<string, StatusCause>()
  for (const [path, found] of Map.groupBy(faults, (f) => f.instancePath)) {
    const choice = found.find((f) => f.keyword === 'oneOf' || f.keyword === 'anyOf')
    // Of a choice between forms, a text in the wrong format says more than that no form fits.
    const told = choice ? [found.find((f) => f.keyword === 'format') ?? choice] : found.filter((f) => f.keyword === 'required')
    for (const fault of told.length > 0 ? told : found.slice(0, 1)) {
      const cause = causeOf({ ...fault, instancePath: path }, object)
      causes.set(cause.field, cause)
      if (causes.size >= maxCauses) return [...causes.values()]
    }
  }
  return [...causes.values()]
}

const formatNames: Readonly<Record<string, string>> = {
  int32: 'a whole number of 32 bits',
  int64: 'a whole number of 64 bits',
  'date-time': 'a time as in RFC 3339, such as 2026-01-31T12:00:00Z',
  byte: 'base64',
  quantity: 'a number with at most one suffix, such as 2, 0.5, 250m, 64Mi, 1G or 1e3',
}

/** What stands in these is nobody else's business: it is not quoted. */
const secretFields: readonly string[] = ['data', 'stringData', 'binaryData']

function causeOf({ instancePath, keyword, params }: Fault, object: unknown): StatusCause {
  const steps = instancePath
    .split('/')
    .slice(1)
    .map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'))
  const field = fieldPath(steps)
  const value = secretFields.includes(steps[0] ?? '') && steps.length > 1 ? '...' : valueAt(object, steps)
  switch (keyword) {
    case 'required':
      return required(fieldPath([...steps, String(params['missingProperty'])]))
    case 'enum':
      return unsupported(field, value, (params['allowedValues'] as readonly unknown[]).map(String))
    case 'type':
      return wrong(field, value, `must be ${typeNames[String(params['type'])] ?? String(params['type'])}`)
    case 'format':
      return wrong(field, value, `must be ${formatNames[String(params['format'])] ?? `in the form ${String(params['format'])}`}`)
    case 'oneOf':
    case 'anyOf':
      return wrong(field, value, 'must be a string or a number')
    default:
      return wrong(field, value, `does not meet the rule ${keyword}`)
  }
}

/** Maps with free keys: their keys stand in brackets. */
const maps: ReadonlySet<string> = new Set([
  'labels',
  'annotations',
  'matchLabels',
  'nodeSelector',
  'selector',
  'data',
  'binaryData',
  'stringData',
  'limits',
  'requests',
  'capacity',
  'allocatable',
  'overhead',
  'allocatedResources',
  'hard',
  'used',
  'max',
  'min',
  'default',
  'defaultRequest',
  'maxLimitRequestRatio',
  'parameters',
])

/** `spec.containers[0].resources.limits[cpu]` from the steps to it. */
export function fieldPath(steps: readonly string[]): string {
  return steps.reduce((path, step, i) => {
    if (/^\d+$/.test(step) || (maps.has(steps[i - 1] ?? '') && step !== 'matchLabels' && step !== 'matchExpressions'))
      return `${path}[${step}]`
    return path === '' ? step : `${path}.${step}`
  }, '')
}

function valueAt(object: unknown, steps: readonly string[]): unknown {
  return steps.reduce<unknown>(
    (v, step) => (typeof v === 'object' && v !== null ? (v as Readonly<Record<string, unknown>>)[step] : undefined),
    object,
  )
}

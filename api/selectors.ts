/**
 * Label selectors (meta/v1 LabelSelector, and the text form of `?labelSelector=`) and field selectors (`?fieldSelector=`):
 * reading them and asking whether an object matches. Errors are `StatusError` BadRequest.
 */
import { labelKeyProblem, labelValueProblem } from './labels.ts'
import type { LabelSelector } from './objects.ts'
import type { Resource, ResourceKind } from './resources.ts'
import { badRequest } from './status.ts'

export type Labels = Readonly<Record<string, string>>

export interface LabelRequirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt'
  readonly values: readonly string[]
}

// ── label selectors ─────────────────────────────────────────────────────────

/**
 * Reads `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>3`. The empty text has no requirements and so matches everything.
 * @throws StatusError BadRequest
 */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  if (text.trim() === '') return []
  return splitTerms(text).map((term) => labelRequirement(term.trim(), text))
}

/** Splits at the commas that stand outside parentheses. */
function splitTerms(text: string): readonly string[] {
  const terms: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++
    if (text[i] === ')') depth--
    if (depth < 0 || depth > 1) break
    if (text[i] === ',' && depth === 0) {
      terms.push(text.slice(start, i))
      start = i + 1
    }
  }
  if (depth !== 0) throw badRequest(`unable to parse the label selector ${JSON.stringify(text)}: the parentheses do not match`)
  return [...terms, text.slice(start)]
}

function labelRequirement(term: string, text: string): LabelRequirement {
  const set = /^([^\s()!=<>,]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term)
  if (set) {
    const values = set[3]!.split(',').map((v) => v.trim())
    return checked({ key: set[1]!, operator: set[2] === 'in' ? 'In' : 'NotIn', values }, text)
  }
  const bare = /^(!?)\s*([^\s()!=<>,]+)$/.exec(term)
  if (bare) return checked({ key: bare[2]!, operator: bare[1] ? 'DoesNotExist' : 'Exists', values: [] }, text)
  const compared = /^([^\s()!=<>,]+)\s*(==|=|!=|>|<)\s*([^\s()!=<>,]*)$/.exec(term)
  if (compared) {
    const operators = { '=': 'In', '==': 'In', '!=': 'NotIn', '>': 'Gt', '<': 'Lt' } as const
    return checked(
      { key: compared[1]!, operator: operators[compared[2] as keyof typeof operators], values: [compared[3]!] },
      text,
    )
  }
  throw badRequest(
    `unable to parse the label selector ${JSON.stringify(text)}: found ${JSON.stringify(term)} where one of ` +
      'KEY=VALUE, KEY!=VALUE, KEY in (VALUE,...), KEY notin (VALUE,...), KEY or !KEY is expected',
  )
}

function checked(requirement: LabelRequirement, text: string): LabelRequirement {
  const { key, operator, values } = requirement
  const fail = (what: string, why: string): never => {
    throw badRequest(`unable to parse the label selector ${JSON.stringify(text)}: ${what} ${why}`)
  }
  const problem = labelKeyProblem(key)
  if (problem) fail(`key ${JSON.stringify(key)}`, problem)
  for (const value of values) {
    const wrong = operator === 'Gt' || operator === 'Lt' ? notWhole(value) : labelValueProblem(value)
    if (wrong) fail(`value ${JSON.stringify(value)}`, wrong)
  }
  return requirement
}

const whole = /^-?\d{1,18}$/
const notWhole = (value: string): string | undefined =>
  whole.test(value) ? undefined : "must be a whole number where it is compared by '>' or '<'"

/** Whether labels meet every requirement. */
export function matchesLabels(requirements: readonly LabelRequirement[], labels: Labels | undefined): boolean {
  return requirements.every((r) => meets(r, labels))
}

function meets({ key, operator, values }: LabelRequirement, labels: Labels | undefined): boolean {
  const value = labels && Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && whole.test(value) && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && whole.test(value) && Number(value) < Number(values[0])
  }
}

/**
 * Whether labels match a meta/v1 LabelSelector. An absent selector matches nothing, an empty one everything; an operator
 * that is not known matches nothing.
 */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  return selector !== undefined && selectorRequirements(selector).every((r) => meets(r, labels))
}

function selectorRequirements(selector: LabelSelector): readonly LabelRequirement[] {
  const equal = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    operator: 'In' as const,
    values: [value],
  }))
  const others = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => ({
    key,
    operator: operator as LabelRequirement['operator'],
    values,
  }))
  return [...equal, ...others]
}

// ── field selectors ─────────────────────────────────────────────────────────

export interface FieldRequirement {
  /** e.g. `spec.nodeName` */
  readonly field: string
  readonly equal: boolean
  readonly value: string
}

const involved = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
  (f) => `involvedObject.${f}`,
)

/** What some kinds can be selected by beside their names: the fields of Kubernetes. */
const ownFields: { readonly [R in Resource]?: readonly string[] } = {
  namespaces: ['status.phase'],
  nodes: ['spec.unschedulable'],
  pods: [
    ...['nodeName', 'restartPolicy', 'schedulerName', 'serviceAccountName', 'hostNetwork'].map((f) => `spec.${f}`),
    ...['phase', 'podIP', 'nominatedNodeName'].map((f) => `status.${f}`),
  ],
  services: ['spec.clusterIP', 'spec.type'],
  secrets: ['type'],
  events: [...involved, 'reason', 'reportingComponent', 'source', 'type'],
  'replicasets.apps': ['status.replicas'],
  replicationcontrollers: ['status.replicas'],
  'certificatesigningrequests.certificates.k8s.io': ['spec.signerName'],
  'jobs.batch': ['status.successful'],
}

/** The fields by which a kind can be selected. @param more those that its definition adds */
export function selectableFields({ resource, namespaced }: Selected, more: readonly string[] = []): readonly string[] {
  return ['metadata.name', ...(namespaced ? ['metadata.namespace'] : []), ...(ownFields[resource] ?? []), ...more]
}

type Selected = Pick<ResourceKind, 'resource' | 'namespaced'>

/**
 * Reads `metadata.name=x,status.phase!=Running`; `\` before `,`, `=` or `\` makes it part of a value.
 * @throws StatusError BadRequest, naming the fields that the kind can be selected by
 */
export function parseFieldSelector(text: string, of: Selected, more: readonly string[] = []): readonly FieldRequirement[] {
  const selectable = selectableFields(of, more)
  const read = (term: string): FieldRequirement => {
    const requirement = fieldRequirement(term, text)
    const { field } = requirement
    if (!selectable.includes(field)) throw badRequest(`field label not supported: ${field}; ${of.resource} can be selected by ${selectable.join(', ')}`)
    return requirement
  }
  return splitUnescaped(text)
    .filter((term) => term.trim() !== '')
    .map(read)
}

function splitUnescaped(text: string): readonly string[] {
  return text.match(/(?:\\[^]|\\$|[^\\,])+/g) ?? (text === '' ? [] : [text])
}

function fieldRequirement(term: string, text: string): FieldRequirement {
  const [, field, operator, escaped] = /^\s*([^\s=!\\]+)\s*(!=|==|=)([^]*)$/.exec(term) ?? []
  if (field === undefined || escaped === undefined) {
    throw badRequest(
      `invalid field selector ${JSON.stringify(text)}: found ${JSON.stringify(term)} ` +
        'where FIELD=VALUE or FIELD!=VALUE is expected',
    )
  }
  if (/(?:^|[^\\])(?:\\\\)*=/.test(escaped) || /^(?:\\[\\,=]|[^\\])*$/.exec(escaped) === null) {
    throw badRequest(
      `invalid field selector ${JSON.stringify(text)}: ` +
        `in the value of ${field}, write '=' as '\\=', ',' as '\\,' and '\\' as '\\\\'`,
    )
  }
  return { field, equal: operator !== '!=', value: escaped.replace(/\\([\\,=])/g, '$1') }
}

/** Whether an object meets every requirement. An absent text is '', an absent flag `false`. */
export function matchesFields(requirements: readonly FieldRequirement[], object: object): boolean {
  return requirements.every(({ field, equal, value }) => (fieldText(object, field) === value) === equal)
}

const flags: readonly string[] = ['spec.unschedulable', 'spec.hostNetwork']

function fieldText(object: object, field: string): string {
  if (field === 'status.successful') return fieldText(object, 'status.succeeded') || '0'
  if (field === 'source') return fieldText(object, 'source.component') || fieldText(object, 'reportingComponent')
  let value: unknown = object
  for (const step of field.split('.')) {
    value = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[step] : undefined
  }
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return flags.includes(field) ? 'false' : ''
}

/** Checks of apiextensions.k8s.io/v1 CustomResourceDefinition, and its defaults. */
import type { CustomResourceDefinition } from '../../api/objects.ts'
import type { StatusCause } from '../../api/status.ts'
import { forbidden, immutable, required, unsupported, wrong, type Causes } from '../admit/causes.ts'
import { dns1035Label, dnsLabel, dnsSubdomain } from '../admit/validate/names.ts'
import { isEstablished } from './kinds.ts'
import { fieldsOfPath, parsePath } from './path.ts'
import type { Schema } from './schema.ts'
import { shapeCauses, structureCauses } from './structure.ts'

type Spec = CustomResourceDefinition['spec']
type Version = Spec['versions'][number]

/** Groups of Kubernetes' own need a word of its people, as in Kubernetes. */
const approval = 'api-approved.kubernetes.io'
const isProtected = (group: string): boolean => /(^|\.)(k8s|kubernetes)\.io$/.test(group)
/** What the hub answers itself, with kinds that are not stored. */
const ownGroups: readonly string[] = ['metrics.k8s.io']

export function definitionDefaults(crd: CustomResourceDefinition): CustomResourceDefinition {
  const { names } = crd.spec
  const filled = { ...names, singular: names.singular || names.kind.toLowerCase(), listKind: names.listKind || `${names.kind}List` }
  return { ...crd, spec: { ...crd.spec, names: filled, conversion: crd.spec.conversion ?? { strategy: 'None' } } }
}

const schemaPath = (i: number): string => `spec.versions[${i}].schema.openAPIV3Schema`

/** The structure of a definition: the compiled check does not know what a schema is, so schemas are looked at here. */
export function definitionStructure(compiled: (object: unknown) => readonly StatusCause[]): (object: unknown) => readonly StatusCause[] {
  return (object) => {
    const versions = (object as { readonly spec?: { readonly versions?: unknown } }).spec?.versions
    if (!Array.isArray(versions)) return compiled(object)
    const { spec } = object as CustomResourceDefinition
    const bare = versions.map((version: unknown) => withoutSchema(version))
    const causes = versions.flatMap((version: Partial<Version> | null, i) => {
      const schema: unknown = version?.schema?.openAPIV3Schema
      return schema === undefined ? [] : [...shapeCauses(schema, schemaPath(i))].slice(0, 50)
    })
    return [...compiled({ ...(object as object), spec: { ...spec, versions: bare } }), ...causes]
  }
}

function withoutSchema(version: unknown): unknown {
  const schema = (version as Partial<Version> | null)?.schema
  return typeof schema === 'object' && schema !== null ? { ...(version as object), schema: {} } : version
}

/** @param crd of checked structure, with its defaults */
export function* validateDefinition({ metadata, spec, status }: CustomResourceDefinition): Causes {
  const { group, names } = spec
  const expected = `${names.plural}.${group}`
  if (metadata.name !== expected) yield wrong('metadata.name', metadata.name, `must be spec.names.plural+"."+spec.group, which is ${JSON.stringify(expected)}`)
  yield* groupCauses(group, metadata.annotations?.[approval])
  yield* nameCauses(names)
  if (spec.scope !== 'Cluster' && spec.scope !== 'Namespaced') yield unsupported('spec.scope', spec.scope, ['Cluster', 'Namespaced'])
  if (spec.preserveUnknownFields) yield wrong('spec.preserveUnknownFields', true, 'must be false; use x-kubernetes-preserve-unknown-fields in the schema')
  yield* conversionCauses(spec.conversion)
  yield* versionsCauses(spec.versions)
  const gone = (status?.storedVersions ?? []).filter((name) => !spec.versions.some((v) => v.name === name))
  for (const name of gone) yield wrong(`status.storedVersions[${status!.storedVersions!.indexOf(name)}]`, name, 'missing from spec.versions; v1 of a kind goes only when no object is stored in it')
}

function* groupCauses(group: string, approved: string | undefined): Causes {
  const problem = dnsSubdomain(group)
  if (problem) yield wrong('spec.group', group, problem)
  else if (!group.includes('.')) yield wrong('spec.group', group, 'should be a domain with at least one dot')
  if (ownGroups.includes(group)) yield forbidden('spec.group', `${group} is served by the hub itself; use a group of your own`)
  if (isProtected(group) && !approved) {
    yield required(`metadata.annotations[${approval}]`, `protected groups must have approval annotation ${JSON.stringify(approval)}; use a group of your own`)
  }
}

function* nameCauses(names: Spec['names']): Causes {
  const { plural, singular = '', kind, listKind = '', shortNames = [], categories = [] } = names
  const dns = (field: string, name: string): Causes => formCauses(`spec.names.${field}`, name, dns1035Label)
  yield* dns('plural', plural)
  yield* dns('singular', singular)
  for (const [field, name] of [['kind', kind], ['listKind', listKind]] as const) {
    if (name === '') yield required(`spec.names.${field}`)
    else yield* formCauses(`spec.names.${field}`, name, (text) => dns1035Label(text.toLowerCase()))
  }
  if (kind !== '' && kind === listKind) yield wrong('spec.names.listKind', listKind, 'kind and listKind may not be the same')
  for (const [i, name] of shortNames.entries()) yield* dns(`shortNames[${i}]`, name)
  for (const [i, name] of categories.entries()) yield* dns(`categories[${i}]`, name)
}

function* formCauses(field: string, text: string, form: (text: string) => string | undefined): Causes {
  const problem = text === '' ? undefined : form(text)
  if (text === '') yield required(field)
  else if (problem) yield wrong(field, text, problem)
}

function* conversionCauses(conversion: Spec['conversion']): Causes {
  const strategy = conversion?.strategy ?? 'None'
  if (strategy === 'Webhook') {
    yield forbidden('spec.conversion.strategy', 'this hub does not call webhooks: use None, with which all versions have the same fields, or serve one version')
  } else if (strategy !== 'None') yield unsupported('spec.conversion.strategy', strategy, ['None'])
  if (strategy === 'None' && conversion?.webhook) yield forbidden('spec.conversion.webhook', 'should not be set when strategy is not set to Webhook')
}

function* versionsCauses(versions: readonly Version[]): Causes {
  const names = versions.map((v) => v.name)
  if (versions.length === 0) yield required('spec.versions', 'must have at least one version')
  const storage = versions.filter((v) => v.storage)
  if (versions.length > 0 && storage.length !== 1) yield wrong('spec.versions', names, `must have exactly one version marked as storage version, and has ${storage.length}`)
  for (const [i, version] of versions.entries()) {
    const at = `spec.versions[${i}]`
    yield* formCauses(`${at}.name`, version.name, dnsLabel)
    if (names.indexOf(version.name) !== i) yield wrong(`${at}.name`, version.name, 'must be unique')
    const schema = version.schema?.openAPIV3Schema as Schema | undefined
    if (!schema) yield required(schemaPath(i), 'schemas are required')
    else yield* structureCauses(schema, schemaPath(i))
    if (version.deprecationWarning !== undefined && !version.deprecated) yield wrong(`${at}.deprecationWarning`, version.deprecationWarning, 'can only be set for deprecated versions')
    yield* columnCauses(version, at)
    yield* scaleCauses(version, at)
    yield* selectableCauses(version, at)
  }
}

const columnTypes: readonly string[] = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats: readonly string[] = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']
const simplePath = 'must be a simple JSON path starting with .'

function* columnCauses({ additionalPrinterColumns = [] }: Version, at: string): Causes {
  for (const [i, { name, type, format, jsonPath }] of additionalPrinterColumns.entries()) {
    const field = `${at}.additionalPrinterColumns[${i}]`
    if (name === '') yield required(`${field}.name`)
    if (!columnTypes.includes(type)) yield unsupported(`${field}.type`, type, columnTypes)
    if (format && !columnFormats.includes(format)) yield unsupported(`${field}.format`, format, columnFormats)
    if (jsonPath === '') yield required(`${field}.jsonPath`)
    else if (!parsePath(jsonPath)) yield wrong(`${field}.jsonPath`, jsonPath, simplePath)
  }
}

function* scaleCauses({ subresources }: Version, at: string): Causes {
  const { scale } = subresources ?? {}
  if (!scale) return
  const rows = [
    ['specReplicasPath', scale.specReplicasPath, ['spec']],
    ['statusReplicasPath', scale.statusReplicasPath, ['status']],
    ['labelSelectorPath', scale.labelSelectorPath, ['spec', 'status']],
  ] as const
  for (const [name, path, heads] of rows) {
    const field = `${at}.subresources.scale.${name}`
    if (name === 'labelSelectorPath' && !path) continue
    if (!path) yield required(field)
    else if (!(heads as readonly string[]).includes(fieldsOfPath(path)?.[0] ?? '') || fieldsOfPath(path)!.length < 2) {
      yield wrong(field, path, `should be a json path of fields under ${heads.map((head) => `.${head}`).join(' or ')}`)
    }
  }
}

function* selectableCauses({ selectableFields = [], schema }: Version, at: string): Causes {
  for (const [i, { jsonPath }] of selectableFields.entries()) {
    const field = `${at}.selectableFields[${i}].jsonPath`
    const names = fieldsOfPath(jsonPath)
    const of = names?.reduce<Schema | undefined>((s, name) => s?.properties?.[name], schema?.openAPIV3Schema as Schema | undefined)
    if (!names || names[0] === 'metadata') yield wrong(field, jsonPath, 'must be a path of fields in the schema, outside of metadata')
    else if (!of || !['string', 'integer', 'boolean'].includes(of.type ?? '')) yield wrong(field, jsonPath, 'must lead to a string, a whole number or a boolean in the schema')
  }
}

/** What stays as it is once objects are served. */
export function* definitionChange({ before, after }: { readonly before: CustomResourceDefinition; readonly after: CustomResourceDefinition }): Causes {
  if (before.spec.group !== after.spec.group) yield immutable('spec.group', after.spec.group)
  if (before.spec.names.plural !== after.spec.names.plural) yield immutable('spec.names.plural', after.spec.names.plural)
  if (!isEstablished(before)) return
  if (before.spec.scope !== after.spec.scope) yield immutable('spec.scope', after.spec.scope)
  if (before.spec.names.kind !== after.spec.names.kind) yield immutable('spec.names.kind', after.spec.names.kind)
}

/** What of a definition will not happen here. */
export function definitionWarnings({ spec }: CustomResourceDefinition): readonly string[] {
  const ruled = spec.versions.filter(({ schema }) => hasRules(schema?.openAPIV3Schema as Schema | undefined))
  return ruled.map(({ name }) => `version ${name}: x-kubernetes-validations (CEL) are stored and published, but this hub does not evaluate them`)
}

function hasRules(schema: Schema | undefined): boolean {
  if (!schema) return false
  if (schema['x-kubernetes-validations']?.length) return true
  const { properties = {}, additionalProperties, items, allOf = [], anyOf = [], oneOf = [], not } = schema
  const inner = [...Object.values(properties), ...(typeof additionalProperties === 'object' ? [additionalProperties] : []), items, not, ...allOf, ...anyOf, ...oneOf]
  return inner.some(hasRules)
}

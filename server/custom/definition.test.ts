import { describe, expect, test } from 'vitest'
import { kindOf } from '../../api/resources.ts'
import type { CustomResourceDefinition } from '../../api/objects.ts'
import { customResourceDefinition } from '../../test/kit/custom.ts'
import { loadStructure } from '../admit/validate/structure.ts'
import { definitionChange, definitionDefaults, definitionWarnings, validateDefinition } from './definition.ts'

const good = customResourceDefinition() as unknown as CustomResourceDefinition
const [v1, beta] = good.spec.versions as [CustomResourceDefinition['spec']['versions'][number], CustomResourceDefinition['spec']['versions'][number]]
const withSpec = (spec: object, metadata: object = {}): CustomResourceDefinition => ({ ...good, metadata: { ...good.metadata, ...metadata }, spec: { ...good.spec, ...spec } })
const told = (crd: CustomResourceDefinition): readonly string[] => [...validateDefinition(definitionDefaults(crd))].map((c) => `${c.field}: ${c.message}`)
const inVersion = (part: object): CustomResourceDefinition => withSpec({ versions: [{ ...v1, ...part }] })

describe('definitions', () => {
  test('a good one is', () => expect(told(good)).toEqual([]))

  test('names that are not given follow from the kind', () => {
    const { names, conversion } = definitionDefaults(withSpec({ names: { plural: 'crontabs', kind: 'CronTab' } })).spec
    expect(names).toEqual({ plural: 'crontabs', singular: 'crontab', kind: 'CronTab', listKind: 'CronTabList' })
    expect(conversion).toEqual({ strategy: 'None' })
  })

  test.each<[string, CustomResourceDefinition, string]>([
    ['name', withSpec({}, { name: 'x' }), 'metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group'],
    ['group', withSpec({ group: 'a_b.c' }), 'spec.group: Invalid value: "a_b.c": must be a DNS subdomain'],
    ['group of Kubernetes', withSpec({ group: 'x.k8s.io' }), 'metadata.annotations[api-approved.kubernetes.io]: Required value'],
    ['group of the hub', withSpec({ group: 'metrics.k8s.io' }), 'spec.group: Forbidden: metrics.k8s.io is served by the hub itself'],
    ['scope', withSpec({ scope: 'World' }), 'spec.scope: Unsupported value: "World"'],
    ['kind', withSpec({ names: { ...good.spec.names, kind: 'Cron Tab' } }), 'spec.names.kind: Invalid value: "Cron Tab"'],
    ['listKind', withSpec({ names: { ...good.spec.names, listKind: 'CronTab' } }), 'spec.names.listKind: Invalid value: "CronTab": kind and listKind may not be the same'],
    ['short name', withSpec({ names: { ...good.spec.names, shortNames: ['C T'] } }), 'spec.names.shortNames[0]: Invalid value'],
    ['no version', withSpec({ versions: [] }), 'spec.versions: Required value'],
    ['no storage', withSpec({ versions: [beta] }), 'must have exactly one version marked as storage version, and has 0'],
    ['two storages', withSpec({ versions: [v1, { ...beta, storage: true }] }), 'and has 2'],
    ['two of a name', withSpec({ versions: [v1, { ...beta, name: 'v1' }] }), 'spec.versions[1].name: Invalid value: "v1": must be unique'],
    ['no schema', inVersion({ schema: undefined }), 'spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required'],
    ['unknown fields', withSpec({ preserveUnknownFields: true }), 'spec.preserveUnknownFields: Invalid value: true: must be false'],
    ['webhook', withSpec({ conversion: { strategy: 'Webhook' } }), 'spec.conversion.strategy: Forbidden: this hub does not call webhooks: use None'],
    ['column', inVersion({ additionalPrinterColumns: [{ name: 'A', type: 'text', jsonPath: 'spec' }] }), 'additionalPrinterColumns[0].jsonPath: Invalid value: "spec": must be a simple JSON path starting with .'],
    ['scale', inVersion({ subresources: { scale: { specReplicasPath: '.status.replicas', statusReplicasPath: '.status.replicas' } } }), 'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".status.replicas": should be a json path of fields under .spec'],
    ['selectable field', inVersion({ selectableFields: [{ jsonPath: '.spec.env' }] }), 'spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".spec.env": must lead to a string'],
    ['stored version', { ...withSpec({ versions: [v1] }), status: { storedVersions: ['v0', 'v1'] } } as CustomResourceDefinition, 'status.storedVersions[0]: Invalid value: "v0": missing from spec.versions'],
  ])('a wrong %s is named', (_name, crd, cause) => expect(told(crd)).toEqual(expect.arrayContaining([expect.stringContaining(cause)])))

  test('scope and kind stay once it is established', () => {
    const change = (status: 'True' | 'False') =>
      [...definitionChange({ before: { ...good, status: { conditions: [{ type: 'Established', status }] } } as CustomResourceDefinition, after: withSpec({ scope: 'Cluster', names: { ...good.spec.names, kind: 'Other' } }) })].map((c) => c.field)
    expect(change('True')).toEqual(['spec.scope', 'spec.names.kind'])
    expect(change('False')).toEqual([])
  })

  test('rules in CEL are told of, wherever they stand', () => {
    expect(definitionWarnings(good)).toEqual([])
    const schema = { type: 'object', properties: { a: { type: 'array', items: { type: 'string', 'x-kubernetes-validations': [{ rule: 'true' }] } } } }
    expect(definitionWarnings(inVersion({ schema: { openAPIV3Schema: schema } }))).toEqual([expect.stringContaining('version v1: x-kubernetes-validations (CEL)')])
  })

  test('the structure of a schema is looked at in its place, and the rest as of all kinds', async () => {
    const structure = await loadStructure(kindOf('customresourcedefinitions.apiextensions.k8s.io'))
    expect(structure({ ...good })).toEqual([])
    const schema = { type: 'object', properties: { a: { type: 3 }, b: { type: 'object', additionalProperties: true, default: [1] } } }
    expect(structure(inVersion({ schema: { openAPIV3Schema: schema } })).map((c) => c.field)).toEqual(['spec.versions[0].schema.openAPIV3Schema.properties[a].type'])
    expect(structure(withSpec({ versions: [{ name: 'v1' }] })).map((c) => c.field).toSorted()).toEqual(['spec.versions[0].served', 'spec.versions[0].storage'])
    expect(structure(withSpec({ versions: 'x' })).map((c) => c.field)).toEqual(['spec.versions'])
  })
})

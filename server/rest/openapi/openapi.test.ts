import { describe, expect, test } from 'vitest'
import protobuf from 'protobufjs'
import { servedKinds } from '../../../api/resources.ts'
import { parseDeclaration } from './models.ts'
import { encodeSwagger } from './proto.ts'
import { definitionNameOf, schemasOf } from './schemas.ts'
import { swagger } from './v2.ts'
import { document, documentKinds } from './v3.ts'

const definitions = schemasOf(servedKinds)

/** Every `$ref` in a document. */
function refsOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' && typeof inner === 'string' ? [inner] : refsOf(inner)))
}

describe('definitions', () => {
  test('there is one for each kind, with its name and its metadata', () => {
    for (const k of servedKinds) {
      const schema = definitions.get(definitionNameOf(k))!
      const { group, version, kind } = k
      expect(schema['x-kubernetes-group-version-kind']).toEqual([{ group, version, kind }])
      expect(schema.properties).toMatchObject({ metadata: { $ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' } })
    }
  })

  test('lists that a patch merges say so', () => {
    expect(definitions.get('io.k8s.api.core.v1.Container')!.properties).toMatchObject({
      env: { 'x-kubernetes-patch-merge-key': 'name', 'x-kubernetes-patch-strategy': 'merge', items: { $ref: 'io.k8s.api.core.v1.EnvVar' } },
      ports: { 'x-kubernetes-patch-merge-key': 'containerPort' },
    })
    expect(definitions.get('io.k8s.api.core.v1.ServiceSpec')!.properties!.ports).toMatchObject({ 'x-kubernetes-patch-merge-key': 'port' })
    expect(definitions.get('io.k8s.api.apps.v1.DeploymentSpec')!.properties!.strategy).toMatchObject({ 'x-kubernetes-patch-strategy': 'retainKeys' })
    expect(definitions.get('io.k8s.api.core.v1.PodSpec')!.properties!.tolerations).not.toHaveProperty('x-kubernetes-patch-strategy')
  })

  test('lists and maps say how they divide into fields', () => {
    const properties = (name: string) => definitions.get(`io.k8s.api.core.v1.${name}`)!.properties!
    expect(properties('Container').ports).toMatchObject({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['containerPort', 'protocol'] })
    expect(properties('Container').args).toMatchObject({ 'x-kubernetes-list-type': 'atomic' })
    expect(properties('NodeSpec').podCIDRs).toMatchObject({ 'x-kubernetes-list-type': 'set' })
    expect(properties('ServiceSpec').selector).toMatchObject({ 'x-kubernetes-map-type': 'atomic' })
    expect(definitions.get('io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector')).toMatchObject({ 'x-kubernetes-map-type': 'atomic' })
  })

  test('a declaration is read field by field', () => {
    const text = [
      'import { IIoK8sApiCoreV1Other } from "./Other.js";',
      '/**',
      ' * What it is.',
      ' */',
      'export interface IThing {',
      '    /**',
      '     * A map.',
      '     *',
      '     * Of words.',
      '     */',
      '    "map"?: {',
      '        [key: string]: string;',
      '    };',
      '    "others": Array<IIoK8sApiCoreV1Other>;',
      '    "way"?: "In" | "Out";',
      '    "count"?: number;',
      '}',
      'export declare class Thing extends Model<IThing> implements IThing {',
      '    "extra"?: boolean;',
      '}',
    ].join('\n')
    expect(parseDeclaration(text, 'kubernetes-models/v1/Thing')).toEqual({
      imports: ['kubernetes-models/v1/Other'],
      schema: {
        description: 'What it is.',
        type: 'object',
        required: ['others'],
        properties: {
          map: { type: 'object', additionalProperties: { type: 'string' }, description: 'A map.\n\nOf words.' },
          others: { type: 'array', items: { $ref: 'io.k8s.api.core.v1.Other' } },
          way: { type: 'string', enum: ['In', 'Out'] },
          count: { type: 'integer' },
        },
      },
    })
    expect(() => parseDeclaration(text.replace('number', 'bigint'), 'm')).toThrow('unknown form of a type: bigint')
  })
})

describe('documents', () => {
  const v2 = swagger(servedKinds, definitions, '1')

  test('no reference leads nowhere', () => {
    const dangling = refsOf(v2).filter((ref) => !Object.hasOwn(v2.definitions, ref.replace('#/definitions/', '')))
    expect(dangling).toEqual([])
    for (const kinds of documentKinds(servedKinds).values()) {
      const v3 = document(kinds, schemasOf(kinds), '1') as { components: { schemas: object } }
      const names = refsOf(v3).map((ref) => ref.replace('#/components/schemas/', ''))
      expect(names.filter((name) => !Object.hasOwn(v3.components.schemas, name))).toEqual([])
    }
  })

  test('a patch of each kind offers what kubectl looks for', () => {
    for (const { kind } of servedKinds) {
      const patches = Object.values(v2.paths).flatMap((item) => item.patch ?? [])
      const patch = patches.find((o) => o['x-kubernetes-group-version-kind'].kind === kind)!
      expect(patch.parameters.map((p) => p.name)).toEqual(expect.arrayContaining(['dryRun', 'fieldValidation', 'name']))
      expect(patch.consumes).toContain('application/strategic-merge-patch+json')
    }
  })

  test('operations have names of their own', () => {
    const ids = Object.values(v2.paths).flatMap((item) => Object.values(item).map((o) => o.operationId))
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('the protobuf form says the same', () => {
    // A reader with only a few of the fields, by gnostic's numbers, written down here once more.
    const reader = protobuf.parse(`syntax = "proto3";
      message Document { string swagger = 1; Paths paths = 8; Definitions definitions = 9; }
      message Paths { repeated NamedPath path = 2; } message NamedPath { string name = 1; Path value = 2; }
      message Path { Operation patch = 8; }
      message Operation { repeated ParametersItem parameters = 8; repeated NamedAny vendor_extension = 13; }
      message ParametersItem { Parameter parameter = 1; } message Parameter { NonBody non_body_parameter = 2; }
      message NonBody { Query query_parameter_sub_schema = 3; } message Query { string name = 4; }
      message Definitions { repeated NamedSchema additional_properties = 1; } message NamedSchema { string name = 1; Schema value = 2; }
      message Schema { Type type = 22; Definitions properties = 25; repeated NamedAny vendor_extension = 31; } message Type { repeated string value = 1; }
      message NamedAny { string name = 1; Any value = 2; } message Any { string yaml = 2; }`).root.lookupType('Document')
    const read = reader.toObject(reader.decode(encodeSwagger(v2))) as {
      swagger: string
      paths: { path: readonly { name: string; value: { patch?: { parameters: readonly object[]; vendorExtension: readonly object[] } } }[] }
      definitions: { additionalProperties: readonly { name: string; value: object }[] }
    }
    expect(read.swagger).toBe('2.0')
    expect(read.definitions.additionalProperties.map((d) => d.name)).toEqual(Object.keys(v2.definitions))
    const pod = read.paths.path.find((p) => p.name === '/api/v1/namespaces/{namespace}/pods/{name}')!
    expect(pod.value.patch!.vendorExtension).toContainEqual({
      name: 'x-kubernetes-group-version-kind',
      value: { yaml: 'group: ""\nversion: v1\nkind: Pod\n' },
    })
    expect(JSON.stringify(pod.value.patch!.parameters)).toContain('"fieldValidation"')
    expect(read.definitions.additionalProperties.find((d) => d.name === 'io.k8s.api.core.v1.Pod')!.value).toMatchObject({ type: { value: ['object'] } })
  })
})

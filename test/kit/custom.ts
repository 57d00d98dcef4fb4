/** A definition of a kind, and an object of that kind, for tests. */
import type { ICustomResourceDefinition } from 'kubernetes-models/apiextensions.k8s.io/v1/CustomResourceDefinition'
import { builder } from './objects.ts'

/** Namespaced, of two versions, with a status, a scale and columns: `crontabs.stable.example.com`. */
export const customResourceDefinition = builder<ICustomResourceDefinition>({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    group: 'stable.example.com',
    scope: 'Namespaced',
    names: { plural: 'crontabs', singular: 'crontab', kind: 'CronTab', shortNames: ['ct'], categories: ['all'] },
    versions: [
      { name: 'v1', served: true, storage: true, ...cronTabVersion() },
      { name: 'v1beta1', served: true, storage: false, deprecated: true, ...cronTabVersion() },
    ],
  },
})

function cronTabVersion() {
  const text = { type: 'string' }
  const key = { type: 'object', required: ['name'], properties: { name: text, value: text } }
  return {
    subresources: { status: {}, scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' } },
    additionalPrinterColumns: [
      { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec', description: 'When it runs.' },
      { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status', priority: 1 },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
    selectableFields: [{ jsonPath: '.spec.image' }],
    schema: {
      openAPIV3Schema: {
        type: 'object',
        description: 'What runs when.',
        required: ['spec'],
        properties: {
          spec: {
            type: 'object',
            description: 'What is wished for.',
            required: ['cronSpec'],
            properties: {
              cronSpec: { type: 'string', pattern: String.raw`^(\*|\d+)( (\*|\d+)){4}$`, description: 'Five fields.' },
              image: { type: 'string', minLength: 2, maxLength: 20 },
              replicas: { type: 'integer', format: 'int32', minimum: 1, maximum: 10, default: 1 },
              mode: { type: 'string', enum: ['fast', 'slow'], default: 'fast' },
              suspended: { type: 'boolean', nullable: true },
              port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
              env: { type: 'array', items: key, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
              tags: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
              labels: { type: 'object', additionalProperties: text },
              free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
          status: {
            type: 'object',
            properties: {
              replicas: { type: 'integer' },
              selector: text,
              conditions: { type: 'array', items: { type: 'object', properties: { type: text, status: text } } },
            },
          },
        },
      },
    },
  }
}

/** An object of the kind that `customResourceDefinition` defines. */
export const cronTab = builder<object>({
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name: 'nightly', namespace: 'default' },
  spec: { cronSpec: '0 3 * * *', image: 'web:1' },
})

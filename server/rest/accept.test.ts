import { expect, test } from 'vitest'
import { StatusError } from '../../api/status.ts'
import { negotiate } from './accept.ts'
import { aggregatedVersion } from './discovery.ts'

test.each([
  [undefined, 'object', 'json'],
  ['', 'object', 'json'],
  ['*/*', 'object', 'json'],
  ['application/json', 'object', 'json'],
  ['application/json, */*', 'object', 'json'],
  ['application/yaml', 'object', 'yaml'],
  ['application/json;as=Table;v=v1;g=meta.k8s.io,application/json', 'table', 'json'],
  ['application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json', 'table', 'json'],
  ['application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json', 'object', 'json'],
  ['application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1', 'partial', 'json'],
  ['application/vnd.kubernetes.protobuf,application/json', 'object', 'json'],
  ['application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;q=0.5', 'object', 'json'],
  ['application/yaml;q=0.1, application/json;q=0.9', 'object', 'json'],
])('Accept: %s', (accept, form, media) => {
  expect(negotiate(accept)).toEqual({ form, media })
})

test.each(['application/vnd.kubernetes.protobuf', 'application/cbor', 'text/html', 'application/json;q=0', 'application/json;as=Table;v=v9;g=meta.k8s.io'])(
  'Accept: %s cannot be met',
  (accept) => {
    expect(() => negotiate(accept)).toThrow(StatusError)
  },
)

test.each([
  ['application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json', 'v2'],
  ['application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json', 'v2beta1'],
  ['application/json;v=v3;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList,application/json', undefined],
  ['application/json', undefined],
  [undefined, undefined],
])('aggregated discovery for %s is %s', (accept, version) => {
  expect(aggregatedVersion(accept)).toBe(version)
})

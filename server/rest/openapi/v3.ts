/** OpenAPI 3.0 documents, one for each group version, and their index. */
import { createHash } from 'node:crypto'
import { apiVersionOf } from '../../../api/resources.ts'
import type { ResourceKind } from '../../../api/resources.ts'
import type { Definitions, Schema } from './models.ts'
import { operationsOf } from './operations.ts'
import type { Operation } from './operations.ts'
import { withRefs } from './schemas.ts'
import type { Refer } from './schemas.ts'

const prefix = '#/components/schemas/'

/** The path of a group version's document behind `/openapi/v3/`: `api/v1`, `apis/apps/v1`. */
export const documentPath = (k: ResourceKind): string => `${k.group === '' ? 'api' : 'apis'}/${apiVersionOf(k)}`

/** The kinds of each document. */
export function documentKinds(kinds: readonly ResourceKind[]): ReadonlyMap<string, readonly ResourceKind[]> {
  return Map.groupBy(kinds, documentPath)
}

/** A name for a text: half of its SHA-256 in hexadecimal. */
export function hashOf(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32).toUpperCase()
}

/** The index; the hash in each address lets clients keep what they know. */
export function index(documents: ReadonlyMap<string, string>): unknown {
  const paths = [...documents].map(([path, text]) => {
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(text)}` }]
  })
  return { paths: Object.fromEntries(paths) as unknown }
}

/** Beside a `$ref` nothing counts in OpenAPI 3.0, so that what a field says of itself needs another form. */
const refer: Refer = (name, rest) => {
  const reference = { $ref: prefix + name }
  return Object.keys(rest).length === 0 ? reference : { ...rest, allOf: [reference] }
}

/** Types whose values are numbers or texts, which version 2 of the format cannot say. */
const mixed: Readonly<Record<string, Schema>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { oneOf: [{ type: 'string' }, { type: 'number' }] },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
}

function several(name: string, schema: Schema): Schema {
  const forms = mixed[name]
  if (!forms) return schema
  const { type: _t, format: _f, ...rest } = schema
  return { ...rest, ...forms }
}

export function document(kinds: readonly ResourceKind[], definitions: Definitions, version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of kinds.flatMap(operationsOf)) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: operationOf(operation) }
  }
  const schemas: Readonly<Record<string, Schema>> = Object.fromEntries([...definitions].map(([name, s]) => [name, withRefs(several(name, s), refer)]))
  return { openapi: '3.0.0', info: { title: 'Wherry', version }, paths, components: { schemas } }
}

function operationOf(operation: Operation): unknown {
  const schema = { $ref: prefix + operation.definition }
  const isList = operation.action === 'list' || operation.action === 'deletecollection'
  const body = operation.method === 'patch' ? { type: 'object' } : schema
  const content = (types: readonly string[], of: unknown): unknown => Object.fromEntries(types.map((type) => [type, { schema: of }]))
  return {
    operationId: operation.id,
    parameters: [
      ...operation.inPath.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...operation.inQuery.map(({ name, type, description }) => ({ name, in: 'query', description, schema: { type } })),
    ],
    ...(operation.consumes.length > 0 && { requestBody: { required: true, content: content(operation.consumes, body) } }),
    responses: {
      200: { description: 'OK', ...(!isList && operation.method !== 'delete' && { content: content(['application/json'], schema) }) },
    },
    'x-kubernetes-action': operation.action,
    'x-kubernetes-group-version-kind': operation.type,
  }
}

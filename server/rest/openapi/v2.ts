/** The Swagger 2.0 document of everything that is served. */
import type { ResourceKind } from '../../../api/resources.ts'
import type { Definitions, Schema } from './models.ts'
import { operationsOf } from './operations.ts'
import type { Operation, TypeName } from './operations.ts'
import { withRefs } from './schemas.ts'

export interface Parameter2 {
  readonly name: string
  readonly in: 'path' | 'query' | 'body'
  readonly required?: boolean
  readonly description?: string
  readonly type?: string
  readonly schema?: Schema
}

export interface Operation2 {
  readonly operationId: string
  readonly consumes: readonly string[]
  readonly produces: readonly string[]
  readonly parameters: readonly Parameter2[]
  readonly responses: Readonly<Record<string, { readonly description: string; readonly schema?: Schema }>>
  readonly 'x-kubernetes-action': string
  readonly 'x-kubernetes-group-version-kind': TypeName
}

export interface Document2 {
  readonly swagger: '2.0'
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Partial<Record<Operation['method'], Operation2>>>>>
  readonly definitions: Readonly<Record<string, Schema>>
}

const prefix = '#/definitions/'

export function swagger(kinds: readonly ResourceKind[], definitions: Definitions, version: string): Document2 {
  const paths: Record<string, Partial<Record<Operation['method'], Operation2>>> = {}
  for (const operation of kinds.flatMap(operationsOf)) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: operationOf(operation) }
  }
  return {
    swagger: '2.0',
    info: { title: 'Wherry', version },
    paths,
    definitions: Object.fromEntries([...definitions].map(([name, schema]) => [name, withRefs(schema, (to, rest) => ({ ...rest, $ref: prefix + to }))])),
  }
}

function operationOf(operation: Operation): Operation2 {
  const isList = operation.action === 'list' || operation.action === 'deletecollection'
  const schema = { $ref: prefix + operation.definition }
  // A patch is no object of the kind, so its body has no schema of its own.
  const body: Parameter2[] =
    operation.consumes.length === 0
      ? []
      : [{ name: 'body', in: 'body', required: true, schema: operation.method === 'patch' ? { type: 'object' } : schema }]
  return {
    operationId: operation.id,
    consumes: operation.consumes,
    produces: ['application/json', 'application/yaml'],
    parameters: [
      ...body,
      ...operation.inPath.map((name) => ({ name, in: 'path', required: true, type: 'string' }) as const),
      ...operation.inQuery.map(({ name, type, description }) => ({ name, in: 'query', type, description }) as const),
    ],
    responses: { 200: { description: 'OK', ...(!isList && operation.method !== 'delete' && { schema }) } },
    'x-kubernetes-action': operation.action,
    'x-kubernetes-group-version-kind': operation.type,
  }
}

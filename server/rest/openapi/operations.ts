/** The operations that the OpenAPI documents list, in the words that both versions of the format share. */
import { apiVersionOf } from '../../../api/resources.ts'
import type { ResourceKind } from '../../../api/resources.ts'
import { customOf } from '../../custom/kind.ts'
import { definitionNameOf } from './schemas.ts'

export interface TypeName {
  readonly group: string
  readonly version: string
  readonly kind: string
}

export interface Operation {
  readonly path: string
  readonly method: 'get' | 'put' | 'post' | 'delete' | 'patch'
  /** Kubernetes' word for it, the value of `x-kubernetes-action`. */
  readonly action: 'list' | 'get' | 'post' | 'put' | 'patch' | 'delete' | 'deletecollection'
  readonly id: string
  readonly type: TypeName
  /** Names of the parameters in the path, and of those in the query. */
  readonly inPath: readonly string[]
  readonly inQuery: readonly Parameter[]
  /** Whether the request has a body, and which content types it may have. */
  readonly consumes: readonly string[]
  /** Name of the definition that a body and an answer have; lists have none of their own. */
  readonly definition: string
}

export interface Parameter {
  readonly name: string
  readonly type: 'string' | 'integer' | 'boolean'
  readonly description: string
}

const word = (name: string, description: string): Parameter => ({ name, type: 'string', description })
const pretty = word('pretty', 'Indent the answer.')
const dryRun = word('dryRun', 'With All, everything is done but the write.')
const fieldValidation = word('fieldValidation', 'Ignore, Warn or Strict: what to do about unknown fields.')
const fieldManager = word('fieldManager', 'Who writes; the fields that change are theirs.')
const force: Parameter = { name: 'force', type: 'boolean', description: 'Take fields from other managers, in an apply.' }
const version = word('resourceVersion', 'The state to read, or to start watching from.')
const selectors = [word('labelSelector', 'Labels that objects must have.'), word('fieldSelector', 'Fields that objects must have.')]
const listing: readonly Parameter[] = [
  pretty,
  version,
  ...selectors,
  { name: 'limit', type: 'integer', description: 'At most so many objects.' },
  word('continue', 'Where the last answer ended.'),
  { name: 'watch', type: 'boolean', description: 'Stream changes.' },
  { name: 'timeoutSeconds', type: 'integer', description: 'How long to watch.' },
]
const writing: readonly Parameter[] = [pretty, dryRun, fieldManager, fieldValidation]

/** Every operation on the objects of one kind. */
export function operationsOf(k: ResourceKind): readonly Operation[] {
  const root = k.group === '' ? `/api/${k.version}` : `/apis/${apiVersionOf(k)}`
  const namespace = k.namespaced ? ['namespace'] : []
  const collection = `${root}${k.namespaced ? '/namespaces/{namespace}' : ''}/${k.plural}`
  const type = { group: k.group, version: k.version, kind: k.kind }
  const definition = definitionNameOf(k)
  const of = (o: Pick<Operation, 'method' | 'action' | 'path' | 'inQuery'> & { consumes?: readonly string[] }): Operation => ({
    consumes: [],
    ...o,
    id: `${o.action}${k.group.replaceAll(/\W/g, '_')}_${k.version}_${k.kind}`,
    type,
    inPath: o.path.endsWith('{name}') ? [...namespace, 'name'] : namespace,
    definition,
  })
  const json = ['application/json', 'application/yaml']
  const object = `${collection}/{name}`
  return [
    of({ method: 'get', action: 'list', path: collection, inQuery: listing }),
    of({ method: 'post', action: 'post', path: collection, inQuery: writing, consumes: json }),
    of({ method: 'delete', action: 'deletecollection', path: collection, inQuery: [...selectors, dryRun] }),
    of({ method: 'get', action: 'get', path: object, inQuery: [pretty, version] }),
    of({ method: 'put', action: 'put', path: object, inQuery: writing, consumes: json }),
    of({ method: 'patch', action: 'patch', path: object, inQuery: [...writing, force], consumes: customOf(k) ? patchTypes.filter((type) => !type.includes('strategic')) : patchTypes }),
    of({ method: 'delete', action: 'delete', path: object, inQuery: [dryRun] }),
  ]
}

const patchTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json', 'application/apply-patch+yaml']

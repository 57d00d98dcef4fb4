/**
 * JSON schemas of the Kubernetes types, read from the type declarations of the packages `kubernetes-models` and
 * `@kubernetes-models/apimachinery`. The declarations are generated from the Kubernetes OpenAPI document and keep all
 * of it that clients use: fields, types, references and descriptions.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { StatusError } from '../../../api/status.ts'
import { withNames } from '../../admit/declarations.ts'

/** The part of JSON Schema that the declarations can express. `$ref` is the bare name of another definition. */
export interface Schema {
  readonly $ref?: string
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly format?: 'int-or-string' | 'date-time'
  readonly description?: string
  readonly enum?: readonly string[]
  readonly items?: Schema
  /** OpenAPI 3 only: a reference that has a description of its own, and values of several types. */
  readonly allOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly additionalProperties?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly [extension: `x-kubernetes-${string}`]: unknown
}

/** Definitions by name (`io.k8s.api.core.v1.PodSpec`). */
export type Definitions = ReadonlyMap<string, Schema>

/** One declaration file, by the specifier under which it is imported, e.g. `kubernetes-models/v1/Pod`. */
interface Declared {
  readonly schema: Schema
  readonly imports: readonly string[]
}

/**
 * The definitions of some modules and of everything that they refer to.
 * @param modules e.g. `kubernetes-models/apps/v1/Deployment`
 */
export function loadDefinitions(modules: readonly string[]): Definitions {
  const definitions = new Map<string, Schema>()
  const open = [...modules]
  for (let module = open.pop(); module !== undefined; module = open.pop()) {
    const name = definitionOf(module)
    if (definitions.has(name)) continue
    const { schema, imports } = parseDeclaration(readDeclaration(module), module)
    definitions.set(name, schema)
    open.push(...imports)
  }
  return definitions
}

function readDeclaration(module: string): string {
  return withNames(readFileSync(fileURLToPath(import.meta.resolve(module)).replace(/\.js$/, '.d.ts'), 'utf8'))
}

const extensions = 'kubernetes-models/apiextensions.k8s.io/'

/** `kubernetes-models/apps/v1/Deployment` is `io.k8s.api.apps.v1.Deployment`. */
export function definitionOf(module: string): string {
  if (module.startsWith(extensions)) return `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.${module.slice(extensions.length).replaceAll('/', '.')}`
  const path = module.replaceAll('/', '.')
  if (path.startsWith('@')) return path.replace('@kubernetes-models.apimachinery', 'io.k8s.apimachinery.pkg')
  const inGroup = path.replace('kubernetes-models.', '').replace('.k8s.io.', '.')
  return `io.k8s.api.${/^v\d/.test(inGroup) ? 'core.' : ''}${inGroup}`
}

/** The packages write declarations in a form that this room does not know: a newer version of them, most likely. */
const unreadable = (what: string): StatusError => new StatusError('InternalError', `the declarations of the Kubernetes types cannot be read: ${what}`)

/** Reads one generated declaration. @throws StatusError InternalError */
export function parseDeclaration(text: string, module: string): Declared {
  const modules = importsOf(text, module)
  // A type may speak of itself.
  const known = new Map([...modules, [`I${module.slice(module.lastIndexOf('/') + 1)}`, module]])
  const typeOf = (source: string): Schema => parseType(source, known)
  const description = lastComment(text.slice(0, text.search(/^export (interface|type) /m)))
  const alias = /^export type I\w+ = ([^;]+);/m.exec(text)
  const body = /^export interface \w+[^{]*\{\n([\s\S]*?)^\}/m.exec(text)
  if (body) return { schema: { ...described(description), ...parseFields(body[1]!, typeOf) }, imports: [...modules.values()] }
  if (!alias) throw unreadable(`${module}: neither an interface nor a type`)
  return { schema: { ...described(description), ...typeOf(alias[1]!) }, imports: [...modules.values()] }
}

/** Names of imported types, and the modules they come from. */
function importsOf(text: string, module: string): ReadonlyMap<string, string> {
  const found = text.matchAll(/^import \{ (IIoK8s\w+) \} from "([^"]+)";$/gm)
  const folder = module.slice(0, module.lastIndexOf('/') + 1)
  return new Map(
    [...found].map(([, name, from]) => {
      const bare = from!.replace(/\.js$/, '')
      return [name!, bare.startsWith('.') ? joinPath(folder, bare) : bare]
    }),
  )
}

function joinPath(folder: string, relative: string): string {
  return new URL(relative, `file:///${folder}`).pathname.slice(1)
}

function parseFields(body: string, typeOf: (source: string) => Schema): Schema {
  const properties: Record<string, Schema> = {}
  const required: string[] = []
  const fields = body.matchAll(/(?:^ {4}\/\*\*\n([\s\S]*?)^ {5}\*\/\n)?^ {4}"([^"]+)"(\??): ([^\n]*(?:\n {5,}[^\n]*)*(?:\n {4}\}[^\n]*)?);$/gm)
  for (const [, comment, name, optional, source] of fields) {
    const named = name === 'apiVersion' || name === 'kind'
    // In Kubernetes' documents these two are any text.
    const type = named ? typeOf('string') : typeOf(source!)
    properties[name!] = comment ? { ...type, ...described(commentText(comment)) } : type
    // The words that name the type are demanded by the server itself; a manifest in an editor may lack them.
    if (optional === '' && !named) required.push(name!)
  }
  if (Object.keys(properties).length === 0) return { type: 'object' }
  return { type: 'object', properties, ...(required.length > 0 && { required }) }
}

function parseType(source: string, modules: ReadonlyMap<string, string>): Schema {
  const type = source.replaceAll(/\s+/g, ' ').trim()
  if (type === 'string' || type === 'boolean') return { type }
  if (type === 'number') return { type: 'integer' }
  if (type === 'string | number') return { type: 'string', format: 'int-or-string' }
  if (type === 'number | string') return { type: 'string' }
  if (modules.has(type)) return { $ref: definitionOf(modules.get(type)!) }
  const list = /^Array<(.*)>$/.exec(type)
  if (list) return { type: 'array', items: parseType(list[1]!, modules) }
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)
  if (map) return { type: 'object', additionalProperties: parseType(map[1]!, modules) }
  if (type === '{ }' || type === '{}' || type === 'unknown') return { type: 'object' }
  if (/^"[^"]*"( \| "[^"]*")*$/.test(type)) return { type: 'string', enum: type.split(' | ').map((word) => word.slice(1, -1)) }
  throw unreadable(`unknown form of a type: ${type}`)
}

const described = (description: string | undefined): Schema => (description ? { description } : {})

function lastComment(text: string): string | undefined {
  const from = text.lastIndexOf('/**\n')
  return from < 0 ? undefined : commentText(text.slice(from + 4, text.lastIndexOf(' */')))
}

function commentText(lines: string): string {
  return lines.replaceAll(/^ *\* ?/gm, '').replaceAll(/\\([*_`])/g, '$1').trim()
}

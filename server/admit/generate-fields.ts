/**
 * Writes `fields.json`: the fields that each type of the served kinds has, read off the declaration files of
 * `kubernetes-models`. Run it by hand after that package was updated:
 *
 *     node_modules/.bin/node server/admit/generate-fields.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { apiVersionOf, resourceKinds } from '../../api/resources.ts'
import { withNames } from './declarations.ts'

/** Types that are any JSON, or nothing that has fields. */
const freeForms: readonly string[] = ['RawExtension', 'JSON', 'JSONSchemaPropsOrStringArray']

/** See `fields.ts` for what a code means. */
type Table = Record<string, Record<string, string>>

const models = join(import.meta.dirname, '../../node_modules')

/** Reads a declaration file and, through its imports, every type that it speaks of. @returns the code of the file's type */
function read(file: string, name: string, table: Table): string {
  // A schema, or a word in its place: `server/custom` looks at the words.
  const text = withNames(readFileSync(file, 'utf8')).replaceAll(/JSONSchemaPropsOr(?:Bool|Array)\b/g, 'JSONSchemaProps')
  const body = new RegExp(`^export interface I${name}(?: extends \\w+)? \\{\\n([^]*?)^\\}`, 'm').exec(text)?.[1]
  // `type ITime = string` and its like are values without fields; a RawExtension is any JSON.
  if (body === undefined || freeForms.includes(name)) return ''
  const lines = [...body.matchAll(/^ {4}"([^"]+)"\??: ((?:\{\n[^]*?^ {4}\})|[^\n]*);$/gm)]
  const known = table[name]
  if (known) {
    // Two groups may have a type of the same name (EndpointPort): one row serves both while their fields are the same.
    const same = lines.length === Object.keys(known).length && lines.every(([, field]) => Object.hasOwn(known, field!))
    if (!same) throw new TypeError(`${file} has other fields than the type ${name} that was read before`)
    return name
  }
  const fields: Record<string, string> = {}
  table[name] = fields
  // A type that speaks of itself finds its fields here.
  for (const [, field] of lines) fields[field!] = ''
  for (const [, field, type] of lines) fields[field!] = codeOf(type!, { file, text, table })
  return name
}

interface Place {
  readonly file: string
  readonly text: string
  readonly table: Table
}

function codeOf(type: string, place: Place): string {
  const map = /^\{\n\s*\[key: string\]: ([^]*);\n\s*\}$/.exec(type)
  if (map) return `{${codeOf(map[1]!, place).replace('!', '')}`
  const list = /^Array<(.*)>$/.exec(type)
  if (list) return `[${codeOf(list[1]!, place).replace('!', '')}`
  if (/^"[^"]*"(?: \| "[^"]*")+$/.test(type)) return '!'
  return /^I\w+$/.test(type) ? reference(type, place) : ''
}

function reference(type: string, { file, text, table }: Place): string {
  if (type === `I${basename(file, '.d.ts')}`) return type.slice(1)
  const path = new RegExp(`import \\{ ${type} \\} from "([^"]+)"`).exec(text)?.[1]
  if (!path) throw new TypeError(`${file} does not import ${type}`)
  const target = path.startsWith('.') ? join(dirname(file), path) : join(models, path)
  const declaration = `${target.replace(/\.js$/, '')}.d.ts`
  return read(declaration, declaration.slice(declaration.lastIndexOf('/') + 1, -'.d.ts'.length), table)
}

/** The table of all served kinds. */
export function knownFields(): Table {
  const table: Table = {}
  for (const kind of resourceKinds)
    read(join(models, 'kubernetes-models', apiVersionOf(kind), `${kind.kind}.d.ts`), kind.kind, table)
  return table
}

/** The text of `fields.json`. */
export function render(table: Table): string {
  const rows = Object.entries(table).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{\n${rows.map(([type, fields]) => `  ${JSON.stringify(type)}: ${JSON.stringify(fields)}`).join(',\n')}\n}\n`
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, 'fields.json'), render(knownFields()))

/** Fields that a JSON text gives twice. The parser keeps the last and says nothing; strict field validation is to say it. */

/** More are not told of at once. */
const maxDoubles = 20
const token = /[{}[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}[\],:"]+/gs

interface Level {
  readonly list: boolean
  readonly path: string
  readonly seen: Set<string>
  /** In a list the number of the item, in an object the key whose value comes. */
  at: number
  key: string
}

const placeIn = (level: Level | undefined): string => {
  if (!level) return ''
  if (level.list) return `${level.path}[${level.at}]`
  return level.path === '' ? level.key : `${level.path}.${level.key}`
}

/**
 * Paths of the fields that stand twice in one object, such as `metadata.labels.app`; at most 20.
 * @param text valid JSON
 * @param value what was parsed of it
 */
export function doubledFields(text: string, value: unknown): readonly string[] {
  // Nothing was lost where the value is as long as the text: most clients send no white space, so most texts end here.
  if (JSON.stringify(value).length === text.trimEnd().length) return []
  const doubled = new Set<string>()
  const open: Level[] = []
  let key: string | undefined
  for (const [part] of text.matchAll(token)) {
    const level = open.at(-1)
    if (part === '{' || part === '[') open.push({ list: part === '[', path: placeIn(level), seen: new Set(), at: 0, key: '' })
    else if (part === '}' || part === ']') open.pop()
    else if (part === ',' && level?.list) level.at++
    else if (part === ':' && level && key !== undefined) {
      level.key = JSON.parse(key) as string
      if (level.seen.has(level.key)) doubled.add(placeIn(level))
      level.seen.add(level.key)
    }
    key = part.startsWith('"') ? part : undefined
    if (doubled.size >= maxDoubles) break
  }
  return [...doubled]
}

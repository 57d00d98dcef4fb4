/** Where a text ceases to be JSON: the engine's own parser does not always say. */

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end' | 'nothing'

const token =
  /[ \t\r\n]*(?:([{}[\]:,])|("(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-]))/y

/** The offset of the first character that does not belong, the length of the text if it only ends too early. */
export function faultOf(text: string): number {
  const open: ('{' | '[')[] = []
  let expected: Expected = 'value'
  let at = 0
  for (;;) {
    token.lastIndex = at
    const found = token.exec(text)
    if (!found) return at + /^[ \t\r\n]*/.exec(text.slice(at))![0].length
    const next = follow(expected, found[1] ?? (found[2] ? 'string' : 'literal'), open)
    if (next === undefined) return token.lastIndex - found[0].trimStart().length
    expected = next
    at = token.lastIndex
  }
}

/** What may come after a token, or undefined where it may not come itself. */
function follow(expected: Expected, kind: string, open: ('{' | '[')[]): Expected | undefined {
  const wantsValue = expected === 'value' || expected === 'value or ]'
  const after = (): Expected => (open.length > 0 ? ', or end' : 'nothing')
  if (kind === 'string' && (expected === 'key' || expected === 'key or }')) return ':'
  if (kind === 'string' || kind === 'literal') return wantsValue ? after() : undefined
  if (kind === ':') return expected === ':' ? 'value' : undefined
  if (kind === ',') return expected === ', or end' ? (open.at(-1) === '{' ? 'key' : 'value') : undefined
  if (kind === '{' || kind === '[') {
    if (!wantsValue) return undefined
    open.push(kind)
    return kind === '{' ? 'key or }' : 'value or ]'
  }
  const mayClose = expected === ', or end' || expected === (kind === '}' ? 'key or }' : 'value or ]')
  if (!mayClose || open.pop() !== (kind === '}' ? '{' : '[')) return undefined
  return after()
}

/**
 * Regular expressions in the words of RE2, in which the patterns of schemas are written, matched in time that grows with the text
 * and with the pattern and no faster: all ways through the pattern are followed at once. Only whether there is a match is asked.
 * Source: https://github.com/google/re2/wiki/Syntax
 */

type Flags = { readonly i: boolean; readonly s: boolean; readonly m: boolean }
type Spot = 'begin' | 'end' | 'lineBegin' | 'lineEnd' | 'word' | 'inside'

type Node =
  | { readonly kind: 'char'; readonly is: (char: string) => boolean }
  | { readonly kind: 'spot'; readonly spot: Spot }
  | { readonly kind: 'row'; readonly parts: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly least: number; readonly most: number }

/** RE2 takes no larger number of repetitions. */
const maxRepeat = 1_000
/** Steps of one program; RE2's own bound is of this order. */
const maxSteps = 20_000

/** What the text of a pattern is not. */
class Unreadable extends Error {}

/** @returns undefined for a text that is no pattern, or too large a one */
export function readPattern(text: string): Automaton | undefined {
  try {
    const steps: Step[] = [{ kind: 'match' }]
    const start = emit(parse(text), 0, steps)
    return { steps, start }
  } catch (e) {
    if (e instanceof Unreadable || e instanceof SyntaxError || e instanceof RangeError) return undefined
    throw e
  }
}

// ── reading ─────────────────────────────────────────────────────────────────

interface Reader {
  readonly text: string
  at: number
  flags: Flags
}

function parse(text: string): Node {
  const reader: Reader = { text, at: 0, flags: { i: false, s: false, m: false } }
  const node = choice(reader)
  if (reader.at < text.length) throw new Unreadable()
  return node
}

const next = (r: Reader): string => String.fromCodePoint(r.text.codePointAt(r.at) ?? 0)

function take(r: Reader, pattern: RegExp): RegExpExecArray | undefined {
  const sticky = new RegExp(pattern.source, 'yu')
  sticky.lastIndex = r.at
  const found = sticky.exec(r.text)
  if (!found) return undefined
  r.at = sticky.lastIndex
  return found
}

/** Flags that a group sets end with the group around it. */
function choice(r: Reader): Node {
  const { flags } = r
  const options = [row(r)]
  while (take(r, /\|/)) options.push(row(r))
  r.flags = flags
  return options.length === 1 ? options[0]! : { kind: 'choice', options }
}

function row(r: Reader): Node {
  const parts: Node[] = []
  while (r.at < r.text.length && next(r) !== '|' && next(r) !== ')') {
    const node = atom(r)
    if (node) parts.push(repeated(r, node))
  }
  return { kind: 'row', parts }
}

function repeated(r: Reader, of: Node): Node {
  const counted = take(r, /\{(\d+)(,(\d*))?\}\??/)
  if (counted) {
    const least = Number(counted[1])
    const most = counted[2] === undefined ? least : counted[3] === '' ? Infinity : Number(counted[3])
    if (least > maxRepeat || (most !== Infinity && most > maxRepeat) || least > most) throw new Unreadable()
    return { kind: 'repeat', of, least, most }
  }
  const sign = take(r, /([*+?])\??/)?.[1]
  if (sign === undefined) return of
  if (/[*+?]/.test(next(r))) throw new Unreadable()
  return { kind: 'repeat', of, least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : Infinity }
}

function atom(r: Reader): Node | undefined {
  const { flags } = r
  if (take(r, /\(/)) return group(r)
  if (take(r, /\^/)) return { kind: 'spot', spot: flags.m ? 'lineBegin' : 'begin' }
  if (take(r, /\$/)) return { kind: 'spot', spot: flags.m ? 'lineEnd' : 'end' }
  if (take(r, /\./)) return { kind: 'char', is: (char) => flags.s || char !== '\n' }
  const spot = take(r, /\\([AzbB])/)?.[1]
  if (spot !== undefined) return { kind: 'spot', spot: ({ A: 'begin', z: 'end', b: 'word', B: 'inside' } as const)[spot as 'A'] }
  const set = take(r, /\[\^?\]?(?:\[:\^?\w+:\]|\\[^]|[^\]\\])*\]/)?.[0]
  if (set !== undefined) return oneOf(classText(set), flags)
  const escape = take(r, /\\(?:[pP](?:\{\^?\w+\}|[A-Z])|x\{[0-9a-fA-F]+\}|x[0-9a-fA-F]{2}|[^])/)?.[0]
  if (escape !== undefined) return oneOf(`[${escaped(escape)}]`, flags)
  if (/[*+?[\\]/.test(next(r))) throw new Unreadable()
  const char = next(r)
  r.at += char.length
  return flags.i ? { kind: 'char', is: (c) => c.toLowerCase() === char.toLowerCase() } : { kind: 'char', is: (c) => c === char }
}

function group(r: Reader): Node | undefined {
  const { flags } = r
  const head = take(r, /\?(?:P?<\w+>|(\w*)(?:-(\w+))?([:)]))/)
  if (!head && next(r) === '?') throw new Unreadable()
  const said = `${head?.[1] ?? ''}${head?.[2] ?? ''}`
  if (/[^imsU]/.test(said)) throw new Unreadable()
  const turned = (flag: keyof Flags): boolean => !(head?.[2] ?? '').includes(flag) && (flags[flag] || (head?.[1] ?? '').includes(flag))
  r.flags = { i: turned('i'), s: turned('s'), m: turned('m') }
  // Flags alone hold to the end of the group around them.
  if (head?.[3] === ')') return undefined
  const inner = choice(r)
  if (!take(r, /\)/)) throw new Unreadable()
  r.flags = flags
  return inner
}

/** A set of characters, asked one by one by the language's own engine. @throws SyntaxError */
function oneOf(set: string, { i }: Flags): Node {
  const pattern = new RegExp(`^${set}$`, i ? 'iu' : 'u')
  return { kind: 'char', is: (char) => pattern.test(char) }
}

const classes: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
}

function classText(set: string): string {
  const [, no = '', inner = ''] = /^\[(\^?)(\]?[^]*)\]$/.exec(set)!
  const first = inner.startsWith(']') ? `\\${inner}` : inner
  const plain = first.replaceAll(/\[:(\w+):\]|\\(?:[pP](?:\{\^?\w+\}|[A-Z])|x\{[0-9a-fA-F]+\}|x[0-9a-fA-F]{2}|[^])|\[/g, (part: string, name: string | undefined) => {
    if (name !== undefined) {
      if (!Object.hasOwn(classes, name)) throw new Unreadable()
      return classes[name]!
    }
    return part === '[' ? '\\[' : escaped(part)
  })
  return `[${no}${plain}]`
}

/** One escape as it stands between brackets. */
function escaped(part: string): string {
  const letter = part[1]!
  if (letter === 'p' || letter === 'P') return part.length === 3 ? `\\${letter}{${part[2]!}}` : part
  if (letter === 'x') return part.startsWith('\\x{') ? `\\u${part.slice(2)}` : part
  if (letter === 's') return '\\t\\n\\f\\r '
  if (letter === 'a') return '\\x07'
  if (/[dDwWSnrtfv]/.test(letter)) return part
  if (/[^\W_]/.test(letter)) throw new Unreadable()
  return /[\^$\\.*+?()[\]{}|/-]/.test(letter) ? part : letter
}

// ── matching ────────────────────────────────────────────────────────────────

type Step =
  | { readonly kind: 'match' }
  | { readonly kind: 'char'; readonly is: (char: string) => boolean; readonly to: number }
  | { readonly kind: 'spot'; readonly spot: Spot; readonly to: number }
  | { readonly kind: 'fork'; readonly to: number[] }

export interface Automaton {
  readonly steps: readonly Step[]
  readonly start: number
}

function add(steps: Step[], step: Step): number {
  if (steps.length >= maxSteps) throw new Unreadable()
  return steps.push(step) - 1
}

/** Writes the steps of a node that goes on at `to`. @returns where it begins */
function emit(node: Node, to: number, steps: Step[]): number {
  switch (node.kind) {
    case 'char':
      return add(steps, { kind: 'char', is: node.is, to })
    case 'spot':
      return add(steps, { kind: 'spot', spot: node.spot, to })
    case 'row':
      return node.parts.reduceRight((after, part) => emit(part, after, steps), to)
    case 'choice':
      return add(steps, { kind: 'fork', to: node.options.map((option) => emit(option, to, steps)) })
    case 'repeat':
      return emitRepeat(node, to, steps)
  }
}

function emitRepeat({ of, least, most }: Extract<Node, { kind: 'repeat' }>, to: number, steps: Step[]): number {
  let begin = to
  if (most === Infinity) {
    const fork = { kind: 'fork' as const, to: [to] }
    begin = add(steps, fork)
    fork.to.push(emit(of, begin, steps))
  }
  for (let i = least; i < most && most !== Infinity; i++) begin = add(steps, { kind: 'fork', to: [to, emit(of, begin, steps)] })
  for (let i = 0; i < least; i++) begin = emit(of, begin, steps)
  return begin
}

/** How much work one match may be: steps of the pattern times characters of the text. */
export const maxWork = 20_000_000

/** Whether the pattern is found anywhere in the text; undefined where that would be too much work. */
export function finds({ steps, start }: Automaton, text: string): boolean | undefined {
  if (steps.length * (text.length + 1) > maxWork) return undefined
  const chars = Array.from(text)
  const seen = new Int32Array(steps.length).fill(-1)
  let states: number[] = []
  for (let at = 0; at <= chars.length; at++) {
    const open = [...states, start]
    const reading: number[] = []
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      if (seen[state] === at) continue
      seen[state] = at
      const step = steps[state]!
      if (step.kind === 'match') return true
      if (step.kind === 'fork') open.push(...step.to)
      else if (step.kind === 'char') reading.push(state)
      else if (isSpot(step.spot, chars, at)) open.push(step.to)
    }
    const char = chars[at]
    states = char === undefined ? [] : reading.flatMap((state) => following(steps[state]!, char))
  }
  return false
}

const following = (step: Step, char: string): readonly number[] => (step.kind === 'char' && step.is(char) ? [step.to] : [])

const isWord = (char: string | undefined): boolean => char !== undefined && /^\w$/.test(char)

function isSpot(spot: Spot, chars: readonly string[], at: number): boolean {
  switch (spot) {
    case 'begin':
      return at === 0
    case 'end':
      return at === chars.length
    case 'lineBegin':
      return at === 0 || chars[at - 1] === '\n'
    case 'lineEnd':
      return at === chars.length || chars[at] === '\n'
    case 'word':
      return isWord(chars[at - 1]) !== isWord(chars[at])
    case 'inside':
      return isWord(chars[at - 1]) === isWord(chars[at])
  }
}

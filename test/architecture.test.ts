/** The laws of the house, read off the source. A failure names the file, the line and the law. */
import { readFileSync, readdirSync, statSync, existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { errorCodes } from '../api/errors.ts'

const root = resolve(import.meta.dirname, '..')
const rooms = ['api', 'rules', 'server', 'agent', 'cli', 'test'] as const
type Room = (typeof rooms)[number]

/** Which rooms a room may import, itself aside. */
const mayImport: Readonly<Record<Room, readonly Room[]>> = {
  api: [],
  rules: ['api'],
  server: ['api'],
  agent: ['api', 'rules'],
  cli: ['api', 'rules'],
  test: ['api', 'rules', 'server', 'agent', 'cli'],
}

/** Effects, and the only files that may have them. Paths are matched from the root. */
const doors: readonly { readonly effect: string; readonly modules: RegExp; readonly files: RegExp }[] = [
  { effect: 'processes', modules: /^(node:)?child_process$|^execa$/, files: /(^|\/)exec\.ts$|^cli\/lab\/supervis(or|e)[\w-]*\.ts$/ },
  { effect: 'native calls', modules: /^node:ffi$/, files: /^(api\/memory|agent\/kernel\/(nft\/libnftables|netlink|iptables\/sizes)|cli\/lab\/pidfd)\.ts$/ },
  { effect: 'the database', modules: /^node:sqlite$/, files: /^server\/store\// },
  { effect: 'WebSockets', modules: /^ws$/, files: /^(server\/(hub|rest)|agent\/link)\// },
  { effect: 'gRPC to containerd', modules: /^node:http2$/, files: /^agent\/pods\/runtime\/grpc\.ts$/ },
  { effect: 'HTTP servers and clients', modules: /^node:https?$/, files: /^(server\/(main|rest\/.*|hub\/.*)|cli\/.*|agent\/(link|health|proxy\/kube)\/.*)\.ts$|^server\/main\.ts$/ },
]

interface Source {
  readonly path: string
  readonly room: Room
  readonly text: string
  readonly test: boolean
  readonly imports: readonly { readonly from: string; readonly typeOnly: boolean; readonly line: number }[]
}

function walk(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name)
    return statSync(path).isDirectory() ? walk(path) : [path]
  })
}

function importsOf(text: string): Source['imports'] {
  const found = []
  const pattern = /^\s*(?:import|export)\s+(type\s+)?(?:[^'"]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm
  for (const match of text.matchAll(pattern)) {
    found.push({ from: (match[2] ?? match[3])!, typeOnly: match[1] !== undefined, line: text.slice(0, match.index).split('\n').length })
  }
  return found
}

const sources: readonly Source[] = rooms.flatMap((room) =>
  walk(join(root, room))
    .filter((p) => p.endsWith('.ts'))
    .map((p) => {
      const text = readFileSync(p, 'utf8')
      const path = relative(root, p)
      return { path, room, text, test: path.endsWith('.test.ts') || room === 'test', imports: importsOf(text) }
    }),
)
const production = sources.filter((s) => !s.test)

/** Path from the root of what a relative import names. */
const target = (s: Source, from: string): string => relative(root, resolve(root, dirname(s.path), from))

test('the reader of imports sees every form of them', () => {
  const text = `import a from 'a'\nimport type { B } from 'b'\nimport {\n  c,\n} from 'c'\nexport * from 'd'\nconst e = await import('e')\nimport 'f'\n`
  expect(importsOf(text).map((i) => `${i.from}${i.typeOnly ? ' type' : ''}`)).toEqual(['a', 'b type', 'c', 'd', 'e', 'f'])
  expect(sources.length).toBeGreaterThan(50)
})

describe('imports run one way', () => {
  test.each(rooms)('%s', (room) => {
    const broken = sources
      .filter((s) => s.room === room && !(s.test && s.room !== 'test'))
      .flatMap((s) =>
        s.imports
          .filter((i) => i.from.startsWith('.'))
          .map((i) => ({ at: `${s.path}:${i.line}`, to: target(s, i.from), room: target(s, i.from).split('/')[0] as Room }))
          .filter((i) => i.room !== room && !mayImport[room].includes(i.room)),
      )
    expect(broken.map((b) => `${b.at} imports ${b.to}: ${room} may import ${mayImport[room].join(', ') || 'nothing of ours'}`)).toEqual([])
  })

  test('nobody imports test, but tests', () => {
    const broken = production.flatMap((s) => s.imports.filter((i) => /^test\/|\.test\.ts$/.test(target(s, i.from))).map((i) => `${s.path}:${i.line}`))
    expect(broken).toEqual([])
  })

  test('rules are pure: no module of Node, no clock, no chance', () => {
    const pure = production.filter((s) => s.room === 'rules')
    const modules = pure.flatMap((s) => s.imports.filter((i) => i.from.startsWith('node:')).map((i) => `${s.path}:${i.line} imports ${i.from}`))
    const calls = pure.filter((s) => /\b(Date\.now|new Date\(|Math\.random|performance\.|process\.|console\.)/.test(s.text)).map((s) => s.path)
    expect([...modules, ...calls]).toEqual([])
  })

  test('rules use only types of api', () => {
    const broken = production
      .filter((s) => s.room === 'rules')
      .flatMap((s) => s.imports.filter((i) => target(s, i.from).startsWith('api/') && !i.typeOnly).map((i) => `${s.path}:${i.line} imports ${i.from}`))
    expect(broken).toEqual([])
  })

  test('only agent/state/view.ts knows both an EndpointSlice and a NodeView', () => {
    const both = production.filter((s) => /\bEndpointSlice\b/.test(s.text) && /\bNodeView\b/.test(s.text)).map((s) => s.path)
    expect(both).toEqual(['agent/state/view.ts'])
  })

  test('fakes are wired only by tests', () => {
    const broken = production
      .filter((s) => !/(^|\/)fake/.test(s.path))
      .flatMap((s) => s.imports.filter((i) => /\/fake(\/|\.ts$)|faulty/.test(i.from)).map((i) => `${s.path}:${i.line} imports ${i.from}`))
    expect(broken).toEqual([])
  })
})

describe('one door for each effect', () => {
  test.each(doors)('$effect', ({ modules, files }) => {
    const broken = production.flatMap((s) =>
      s.imports.filter((i) => modules.test(i.from) && !i.typeOnly && !files.test(s.path)).map((i) => `${s.path}:${i.line} imports ${i.from}`),
    )
    expect(broken).toEqual([])
    const used = production.some((s) => s.imports.some((i) => modules.test(i.from)))
    expect(used, 'the law names a module that nobody uses').toBe(true)
  })

  test('the environment is read in config.ts only', () => {
    const broken = production.filter((s) => /\bprocess\.env\b/.test(s.text) && !s.path.endsWith('/config.ts')).map((s) => s.path)
    expect(broken).toEqual([])
  })

  test('never a shell', () => {
    const broken = production.filter((s) => /shell:\s*true|\bexecSync\(|\bsh', \['-c'/.test(s.text)).map((s) => s.path)
    expect(broken).toEqual([])
  })

  test('only the printers of modes make the text of a transaction', () => {
    const broken = production.filter((s) => /`(add|delete|flush) (chain|rule|map|set|element) /.test(s.text)).map((s) => s.path)
    expect(broken.filter((path) => !/^rules\/\w+\/render\.ts$/.test(path))).toEqual([])
    expect(broken).toContain('rules/nft/render.ts')
  })

  test('importing a file does nothing: no timers, no listening, no mutable state at the top of a file', () => {
    const broken = production
      .filter((s) => !/(^|\/)main\.ts$|^cli\/lab\/probe\.ts$|(logger|forwarder)\.ts$/.test(s.path))
      .flatMap((s) =>
        s.text.split('\n').flatMap((line, n) => (/^(export )?let |^(setTimeout|setInterval|await )/.test(line) ? [`${s.path}:${n + 1} ${line.trim()}`] : [])),
      )
    expect(broken).toEqual([])
  })
})

describe('names and sizes', () => {
  test('a file is named for what it is about', () => {
    const broken = sources.filter((s) => /(^|\/)(utils?|helpers?|common|misc|manager|types)(\.test)?\.ts$/.test(s.path)).map((s) => s.path)
    expect(broken).toEqual([])
  })

  test('no file is longer than 400 lines', () => {
    const lines = (s: Source): number => s.text.split('\n').length
    expect(production.filter((s) => lines(s) > 400).map((s) => `${s.path}: ${lines(s)}`)).toEqual([])
  })

  test('no enums, namespaces or parameter properties', () => {
    const broken = sources
      .filter((s) => /^\s*(export )?(const )?enum \w|^\s*(export )?namespace \w|constructor\([^)]*\b(private|public|protected|readonly) /m.test(s.text))
      .map((s) => s.path)
    expect(broken).toEqual([])
  })

  test('bare errors are not thrown: an error has a class and a code', () => {
    const broken = production.flatMap((s) =>
      s.text.split('\n').flatMap((line, n) => (/throw new Error\(/.test(line) ? [`${s.path}:${n + 1}`] : [])),
    )
    expect(broken).toEqual([])
  })
})

describe('words for people', () => {
  const headings = ['## What', '## Takes', '## Gives', '## Invariants', '## How to test']
  const folders = [...new Set(production.map((s) => dirname(s.path)))].filter((d) => d.split('/').length <= 2)

  test.each(folders)('%s has a README with the same headings', (folder) => {
    const path = join(root, folder, 'README.md')
    expect(existsSync(path), `${folder}/README.md`).toBe(true)
    const found = readFileSync(path, 'utf8').split('\n').filter((l) => l.startsWith('## '))
    expect(found).toEqual(headings)
  })

  test('docs/errors.md lists every error code, with the words of the code table', () => {
    const text = readFileSync(join(root, 'docs/errors.md'), 'utf8')
    const listed = [...text.matchAll(/^\| `([A-Z_]+)` \| ([^|]+) \|/gm)].map((m) => [m[1], m[2]!.trim()])
    expect(Object.fromEntries(listed)).toEqual(errorCodes)
  })

  test('every path that the documentation names exists', () => {
    const pages = [...walk(join(root, 'docs')), ...rooms.flatMap((r) => walk(join(root, r))), join(root, 'README.md')].filter((p) => p.endsWith('.md'))
    const broken = pages.flatMap((page) => {
      const text = readFileSync(page, 'utf8')
      const named = [...text.matchAll(/`((?:api|rules|server|agent|cli|test|docs|vagrant|bin)\/[\w./-]+)`/g)].map((m) => m[1]!)
      return named.filter((n) => !existsSync(join(root, n))).map((n) => `${relative(root, page)}: ${n}`)
    })
    expect(broken).toEqual([])
  })

  test('the project speaks of itself alone', () => {
    const broken = sources.filter((s) => s.path !== 'test/architecture.test.ts' && /\/(work|farm)\/|\bTODO\b|\bFIXME\b/.test(s.text)).map((s) => s.path)
    expect(broken).toEqual([])
  })
})

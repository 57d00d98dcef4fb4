/**
 * A machine in memory for tests of the IPVS mode: it reads the very text that ipvsadm, ip and nft are given, obeys their laws
 * as rules/ipvs/image.ts states them, and prints what they print.
 */
import { createImage, deviceName, tableName, virtualOf, type Fault, type Image, type Listing, type ServerOperation, type Step } from '../../../rules/ipvs/index.ts'
import type { Family } from '../../../rules/model.ts'
import type { Listing as Table, Operation as RuleOperation } from '../../../rules/nft/model.ts'
import { ExecError, type Command, type Exec } from '../exec.ts'

export interface FakeIpvsMachine {
  readonly exec: Exec
  /** What it holds; tests may change it as other people would, with `image.apply`. */
  readonly image: Image
  /** Every text that a tool was given, with the tool's name before it. */
  readonly given: readonly string[]
  /** From now on each call of ipvsadm fails as on a kernel without the module. */
  removeModule(): void
  /** What a real server's connections are, as `ipvsadm -Ln` prints them. */
  setConnections(virtual: string, real: string, connections: number): void
}

type Ended = { readonly code: number; readonly stdout?: string; readonly stderr?: string }

export function createFakeIpvsMachine(family: Family, hostAddresses: readonly string[] = []): FakeIpvsMachine {
  const image = createImage({ family, servers: new Map(), device: false, addresses: new Set(), hostAddresses })
  const given: string[] = []
  let module = true

  const answer = ({ command, args, input = '' }: Command): Ended => {
    if (input !== '') given.push(`${command}: ${input}`)
    if (command === 'ipvsadm') return module ? ipvsadm(image, args, input) : noModule
    if (command === 'ip') return ip(image, args, input)
    if (command === 'nft') return nft(image, args, input)
    throw absent({ command, args })
  }
  return {
    image,
    given,
    removeModule: () => void (module = false),
    setConnections(virtual, real, connections) {
      Object.assign(image.listing.servers.get(virtual)!.reals.get(real)!, { connections })
    },
    exec: {
      async run(command, signal) {
        signal.throwIfAborted()
        const { code, stdout = '', stderr = '' } = answer(command)
        if (code !== 0) throw new ExecError('exit', command, { exitCode: code, stderr, stdout, what: `ended with code ${code}` })
        return { stdout, stderr }
      },
      stream: (command) => Promise.reject(absent(command)),
    },
  }
}

const absent = (command: Command): ExecError => new ExecError('absent', command, { stderr: '', what: 'is not on the machine in memory' })

const noModule: Ended = { code: 2, stderr: "Can't initialize ipvs: Protocol not available\nAre you sure that IP Virtual Server is built in the kernel or as module?\n" }

function ipvsadm(image: Image, args: readonly string[], input: string): Ended {
  if (args[0] === '-Ln') return { code: 0, stdout: args.includes('--stats') ? counts(image.listing) : servers(image.listing) }
  if (args[0] !== '-R') return { code: 255, stderr: `Try \`ipvsadm -h' or 'ipvsadm --help' for more information.\n` }
  const lines = input.split('\n').filter((line) => line !== '')
  const complaints: string[] = []
  let failed = false
  for (const line of lines) {
    const operation = serverOperation(line)
    // What it cannot read ends it; what the kernel refuses does not.
    if (!operation) return { code: 2, stderr: `${complaints.join('')}unexpected argument ${line}\n` }
    const known = image.listing.servers.has(operation.virtual)
    const [fault] = image.apply({ kind: 'servers', operations: [operation] })
    failed = fault !== undefined
    if (fault) complaints.push(`${ipvsWords(operation, fault, known)}\n`)
  }
  return { code: failed ? 255 : 0, stderr: complaints.join('') }
}

function ipvsWords({ kind }: ServerOperation, fault: Fault, known: boolean): string {
  if (kind.endsWith('-real') && !known) return 'Service not defined'
  if (kind.endsWith('-server')) return fault.kind === 'exists' ? 'Service already exists' : 'No such service'
  return fault.kind === 'exists' ? 'Destination already exists' : 'No such destination'
}

const linePattern = /^-([AEDaed]) (?:-(t|u|-sctp-service) (\S+)|-f (\d+)(?: -6)?)(?: -s (\w+)(?: -p (\d+))?)?(?: -r (\S+)(?: -m -w (\d+))?)?$/

function serverOperation(line: string): ServerOperation | undefined {
  const match = linePattern.exec(line)
  if (!match) return undefined
  const [, letter, option, socket, mark, scheduler, seconds, real, weight] = match
  const virtual = mark === undefined ? `${{ t: 'tcp', u: 'udp' }[option!] ?? 'sctp'} ${socket}` : `mark ${mark}`
  const settings = seconds === undefined ? scheduler : `${scheduler} persistent ${seconds}`
  switch (letter ?? '') {
    case 'A':
    case 'E':
      return settings === undefined || real ? undefined : { kind: letter === 'A' ? 'add-server' : 'edit-server', virtual, settings }
    case 'D':
      return settings || real ? undefined : { kind: 'delete-server', virtual }
    case 'd':
      return real === undefined || weight ? undefined : { kind: 'delete-real', virtual, real }
    case 'a':
    case 'e':
      return real === undefined || weight === undefined ? undefined : { kind: letter === 'a' ? 'add-real' : 'edit-real', virtual, real, weight: Number(weight) }
    default:
      return undefined
  }
}

const titles = 'IP Virtual Server version 1.2.1 (size=4096)\n'

function heading({ family }: Listing, key: string): string {
  const virtual = virtualOf(key)
  if (virtual.kind === 'mark') return `FWM  ${virtual.mark}${family === 'ip6' ? ' IPv6' : ''}`
  return `${virtual.protocol.toUpperCase()}  ${key.slice(key.indexOf(' ') + 1)}`
}

function servers(listing: Listing): string {
  const lines = [...listing.servers].flatMap(([key, { settings, reals }]) => [
    `${heading(listing, key)} ${settings}`,
    ...[...reals].map(([real, { weight, translated, connections = 0 }]) =>
      `  -> ${real.padEnd(28)} ${(translated ? 'Masq' : 'Route').padEnd(7)} ${String(weight).padEnd(6)} ${String(connections).padEnd(10)} 0         `,
    ),
  ])
  return `${titles}Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n${lines.map((line) => `${line}\n`).join('')}`
}

function counts(listing: Listing): string {
  const row = (name: string, connections: number): string => `${name.padEnd(33)}${[connections, 0, 0, 0, 0].map((n) => String(n).padStart(9)).join('')}\n`
  const rows = [...listing.servers].flatMap(([key, { reals }]) => {
    const each = [...reals].map(([real, { connections = 0 }]) => [real, connections] as const)
    return [row(heading(listing, key), each.reduce((sum, [, n]) => sum + n, 0)), ...each.map(([real, n]) => row(`  -> ${real}`, n))]
  })
  return `${titles}Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n  -> RemoteAddress:Port\n${rows.join('')}`
}

function ip(image: Image, args: readonly string[], input: string): Ended {
  if (args[0] === '-j') return { code: 0, stdout: JSON.stringify(interfaces(image.listing)) }
  if (args[0] === '-brief') return { code: 0, stdout: brief(image.listing) }
  for (const [n, line] of input.split('\n').filter((some) => some !== '').entries()) {
    const words = ipFault(image, line)
    if (words !== undefined) return { code: 1, stderr: `${words}\nCommand failed -:${n + 1}\n` }
  }
  return { code: 0 }
}

function interfaces({ device, addresses, hostAddresses }: Listing): unknown {
  const info = (list: Iterable<string>): unknown => [...list].map((local) => ({ local }))
  return [{ ifname: 'lo', addr_info: info(hostAddresses) }, {}, ...(device ? [{ ifname: deviceName, addr_info: info(addresses) }] : [])]
}

function brief({ device, addresses, hostAddresses }: Listing): string {
  const row = (name: string, held: Iterable<string>): string => `${name.padEnd(16)} UNKNOWN        ${[...held].map((address) => `${address}/${address.includes(':') ? 128 : 32} `).join('')}\n`
  return `${row('lo', hostAddresses)}eth9@if7         DOWN           \n${device ? row(deviceName, addresses) : ''}`
}

function ipFault(image: Image, line: string): string | undefined {
  const apply = (operation: Extract<Step, { kind: 'addresses' }>['operations'][number]): Fault['kind'] | undefined =>
    image.apply({ kind: 'addresses', operations: [operation] })[0]?.kind
  if (line === `link add ${deviceName} type dummy`) return apply({ kind: 'add-device' }) && 'RTNETLINK answers: File exists'
  if (line === `link delete ${deviceName}`) return image.listing.device ? undefined : `Cannot find device "${deviceName}"`
  const [, verb, address, length, device] = /^address (add|delete) (\S+)\/(32|128) dev (\S+?)(?: nodad)?$/.exec(line) ?? []
  if (address === undefined || device !== deviceName || (length === '128') !== address.includes(':')) return `Command "${line}" is unknown, try "ip help".`
  if (!image.listing.device) return `Cannot find device "${deviceName}"`
  if (verb === 'add') return apply({ kind: 'add-address', address }) && 'RTNETLINK answers: File exists'
  return apply({ kind: 'delete-address', address }) && 'RTNETLINK answers: Cannot assign requested address'
}

function nft(image: Image, args: readonly string[], input: string): Ended {
  const { family, table } = image.listing
  if (args.includes('--version')) return { code: 0, stdout: 'nftables v1.0.6 (Lester Gooch #5)\n' }
  if (args.includes('list')) {
    if (!table) return { code: 1, stderr: 'Error: No such file or directory\n' }
    return { code: 0, stdout: tableText(family, table) }
  }
  const operations = input.split('\n').filter((line) => line !== '').map((line) => ruleOperation(family, line))
  const unread = operations.indexOf(undefined)
  if (unread >= 0) return { code: 1, stderr: `/dev/stdin:${unread + 1}:1-3: Error: syntax error\n` }
  const [fault] = image.apply({ kind: 'rules', operations: operations as RuleOperation[] })
  if (!fault) return { code: 0 }
  return { code: 1, stderr: `/dev/stdin:${fault.index + 1}:1-3: Error: Could not process rule: ${fault.kind === 'exists' ? 'File exists' : 'No such file or directory'}\n` }
}

function ruleOperation(family: Family, line: string): RuleOperation | undefined {
  const [, verb, kind, rest = ''] = new RegExp(`^(add|delete) (\\w+) ${family} ${tableName}(?: (.*))?$`).exec(line) ?? []
  const name = rest.split(' ')[0]!
  const more = rest.slice(name.length + 1)
  const inside = more.slice(2, -2)
  switch (`${verb} ${kind}`) {
    case 'add table':
      return { kind: 'add-table' }
    case 'delete table':
      return { kind: 'delete-table' }
    case 'add set':
    case 'add map':
      return { kind: 'add-set', set: { name, kind: kind as 'set' | 'map', type: inside } }
    case 'add chain':
      return { kind: 'add-chain', chain: name, ...(inside !== '' && { base: inside }) }
    case 'add rule':
      return { kind: 'add-rule', chain: name, rule: more }
    case 'delete element':
      return { kind: 'delete-elements', set: name, keys: inside.split(', ') }
    case 'add element':
      return { kind: 'add-elements', set: name, elements: inside.split(', ').map(elementOf) }
    default:
      return undefined
  }
}

function elementOf(text: string) {
  const [, key, comment, value] = /^(.*?)(?: comment "([^"]*)")?(?: : (.*))?$/.exec(text)!
  return { key: key!, ...(value !== undefined && { value }), ...(comment !== undefined && { comment }) }
}

function tableText(family: Family, { chains, sets, elements }: Table): string {
  const block = (head: string, lines: readonly string[]): string => `\t${head} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`
  const blocks = [
    ...[...sets.values()].map(({ name, kind, type }) => {
      const held = [...(elements.get(name)?.values() ?? [])].map(({ key, value, comment }) =>
        `${key}${comment === undefined ? '' : ` comment "${comment}"`}${value === undefined ? '' : ` : ${value}`}`,
      )
      const declared = type.split('; ').map((part) => part.replace(/;$/, ''))
      return block(`${kind} ${name}`, [...declared, ...(held.length > 0 ? [`elements = { ${held.join(',\n\t\t\t     ')} }`] : [])])
    }),
    ...[...chains.values()].map(({ name, base, rules }) => block(`chain ${name}`, [...(base === undefined ? [] : [base]), ...rules])),
  ]
  return `table ${family} ${tableName} {\n${blocks.join('\n')}}\n`
}

/** The catalogue of service routing as a page: every row with what the behaviours say of it, or with the tests elsewhere. */
import { behaviours } from './behaviours/index.ts'

export interface Elsewhere {
  readonly row: string
  readonly says: string
  /** Test files, from the root. */
  readonly tests: readonly string[]
}

const health = 'agent/health/health.test.ts'
const proxy = 'test/scenarios/proxy.test.ts'

/** What no packet to a service shows, or what takes more than one process. */
export const elsewhere: readonly Elsewhere[] = [
  { row: 'H1', says: 'a load balancer with the external policy Local has a health check port: 200 with endpoints here, else 503', tests: [health] },
  { row: 'H2', says: 'its answer is JSON that names the service and counts its endpoints', tests: [health] },
  { row: 'H3', says: 'addresses count once, endpoints that end do not', tests: ['agent/state/tallies.test.ts', health] },
  { row: 'H4', says: 'ports open, move and close with the service; a port that is taken is told and tried again', tests: [health] },
  { row: 'H6', says: '/healthz turns bad when a change of a family waits for too long', tests: [health, proxy] },
  { row: 'H7', says: '/livez does so, too, whatever becomes of the node', tests: [health] },
  { row: 'H8', says: '/metrics, /proxyMode and /configz', tests: [health, proxy] },
  { row: 'C10', says: 'sizes and times of connection tracking are set at the start', tests: ['agent/proxy/parts.test.ts'] },
  { row: 'U7', says: 'a pass begins at once; what changes meanwhile makes one more, however much it is', tests: ['agent/sync/loop.test.ts'] },
  { row: 'U8', says: 'one transaction for each pass', tests: ['test/conformance/kernel.test.ts'] },
  { row: 'U9', says: 'a pass writes what differs, and nothing else', tests: ['rules/nft/plan.test.ts', 'rules/iptables/plan.test.ts', 'rules/ipvs/plan.test.ts'] },
  { row: 'U10', says: 'what fails is tried again from what the kernel has', tests: ['agent/sync/loop.test.ts'] },
  { row: 'U11', says: 'comments stay and what is stale goes at once, whatever the size', tests: ['rules/iptables/plan.test.ts'] },
  { row: 'R3', says: 'another mode takes over, and nothing of the one before is left, under traffic', tests: ['agent/modes.test.ts', 'test/lab/cluster.test.ts'] },
  { row: 'R5', says: '--init-only makes settings and ends', tests: ['agent/proxy/config/config.test.ts'] },
  {
    row: 'R7', says: 'a service has no chain of its own, so none goes stale; where a chain is wrong, the table is made anew in one transaction',
    tests: ['rules/nft/plan.test.ts'],
  },
  { row: 'F3', says: 'a family that the kernel lacks is left out, unless it is the node\'s own', tests: ['agent/proxy/mode.test.ts'] },
  { row: 'F4', says: 'every behaviour that does not name a family holds in both', tests: ['test/routing/kernel-nftables.test.ts', 'test/routing/kernel-iptables.test.ts', 'test/routing/kernel-ipvs.vm.test.ts'] },
  { row: 'R6', says: 'a proxy whose configuration file was changed ends', tests: [proxy] },
]

const areas: Readonly<Record<string, string>> = {
  I: 'What is read', E: 'Which endpoints', A: 'Which packets', D: 'Who goes where', M: 'Masquerade', N: 'Refused or dropped', P: 'Node ports',
  L: 'Source ranges', S: 'Affinity', T: 'Topology', H: 'Health checks', C: 'Connections and flows', U: 'Changes', R: 'Start, stop, clean-up', F: 'Families',
}

/** The page, in Markdown. */
export function cataloguePage(): string {
  const said = sayings()
  const number = (row: string): number => Number(row.slice(1))
  const sections = Object.entries(areas).map(([letter, title]) => {
    const rows = [...said.keys()].filter((row) => row.startsWith(letter)).toSorted((a, b) => number(a) - number(b))
    return `## ${title}\n\n${rows.map((row) => `- **${row}** ${said.get(row)!.join(' · ')}`).join('\n')}\n`
  })
  return `# What service routing does\n
Each row is a promise, and what stands behind it are tests: where no file is named, a script of \`test/routing/behaviours\` that is
traced in every mode and family, and run with packets over nftables and iptables on the kernel at hand and over IPVS in the
machine of \`test/vm\`. For each of these rows a fault is planted that must be noticed (\`test/routing/faults.ts\`). This page is
written by \`test/routing/catalogue.ts\`.\n
${sections.join('\n')}`
}

/** What is said of each row. */
export function sayings(): ReadonlyMap<string, readonly string[]> {
  const said = new Map<string, string[]>()
  const say = (row: string, text: string): void => void said.set(row, [...(said.get(row) ?? []), text])
  for (const { rows, title, except, on } of Object.values(behaviours).flat()) {
    const but = Object.entries(except ?? {}).map(([mode, why]) => `; not in ${mode}: ${why}`)
    for (const row of rows) say(row, `${title}${but.join('')}${on === 'kernel' ? ' (packets only)' : ''}`)
  }
  for (const { row, says, tests } of elsewhere) say(row, `${says}: ${tests.map((file) => `\`${file}\``).join(', ')}`)
  return said
}

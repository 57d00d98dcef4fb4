/**
 * The behaviour suite of service routing (test/routing) on the kernel of a machine, in all modes: nodes, pods and clients in
 * network namespaces of it, beside the cluster that runs there.
 */
import { readFileSync } from 'node:fs'
import type { Check } from '../check.ts'
import type { Cluster } from '../cluster.ts'
import { CheckError, must } from '../error.ts'
import type { Machine } from '../ssh.ts'

const files = { nftables: 'kernel-nftables.test.ts', iptables: 'kernel-iptables.test.ts', ipvs: 'kernel-ipvs.vm.test.ts' } as const
type Mode = keyof typeof files

/** Of the checkout, what the suite imports, and what runs it. */
const parts = ['package.json', 'api', 'rules', 'agent', 'test', 'vagrant/e2e/suite.config.ts', 'node_modules']
/** The machine has Node; the rest judges code, or is of other rooms. */
const spared = ['node', 'typescript', '@typescript', 'oxlint', '@oxlint', '@oxlint-tsgolint', '@kubernetes', 'kubernetes-models', 'playwright-core', '.cache', '.bin']
const place = '/var/tmp/wherry-suite'
const node = '/opt/wherry/node_modules/node/bin/node'
const patienceSeconds = 7_200

/** As the JSON reporter of vitest has it. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly testResults: readonly { readonly message?: string; readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[] }[]
}

/** The suite takes the memory that pods had: short of it, a machine reads its programs from disk again and again. */
async function clear(cluster: Cluster): Promise<void> {
  await cluster.kubectl('delete', 'deployments', '--all')
  await cluster.until('the pods to end', 900, async () => {
    const { items } = await cluster.kubectlJson<{ readonly items: readonly object[] }>('get', 'pods')
    return items.length === 0 ? items : `${items.length} are there`
  })
}

async function bring(cluster: Cluster): Promise<string> {
  await clear(cluster)
  const archive = await cluster.pack('suite.tar.gz', parts, spared.map((name) => `node_modules/${name}`))
  const machine = cluster.workers[0]!
  await cluster.send(machine, archive, '/var/tmp/suite.tar.gz')
  await cluster.ssh(machine, `sudo rm -rf ${place} && sudo mkdir ${place} && sudo tar -C ${place} -xzf /var/tmp/suite.tar.gz && rm /var/tmp/suite.tar.gz`)
  return machine.name
}

/** A unit of systemd: the connection over which it was asked for may break. */
async function suite(cluster: Cluster, mode: Mode, machine: Machine): Promise<string> {
  const report = `${place}/${mode}.json`
  const vitest = `${node} --disable-warning=ExperimentalWarning node_modules/vitest/vitest.mjs run --config vagrant/e2e/suite.config.ts`
  const command = `${vitest} --reporter=verbose --reporter=json --outputFile.json=${report} test/routing/${files[mode]} >${place}/${mode}.log 2>&1; touch ${place}/${mode}.done`
  await cluster.ssh(machine, `sudo rm -f ${place}/${mode}.done; sudo systemd-run -q --unit wherry-suite-${mode} --collect --working-directory=${place} sh -c '${command}'`)
  await cluster.until(`the suite of ${mode} on ${machine.name} to end`, patienceSeconds, async () => {
    const asked = await cluster.trySsh(machine, `test -e ${place}/${mode}.done`)
    return asked.exitCode === 0 ? asked : 'it runs'
  })
  const kept = await cluster.fetch(machine, `${place}/${mode}.log`, `suite-${mode}.log`)
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped, testResults } = JSON.parse(readFileSync(await cluster.fetch(machine, report, `suite-${mode}.json`), 'utf8')) as Report
  const names = testResults.flatMap((file) => file.assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName))
  must(passed > 0 && failed === 0 && testResults.every(({ message }) => !message), `${mode}: ${passed} passed, ${failed} failed (${names.slice(0, 5).join('; ')}); see ${kept}`)
  return `${mode}: ${passed} passed, ${skipped} skipped`
}

/** One after the other, since machines that are emulated share the processors: behaviours know no such slowness. */
async function suites(cluster: Cluster): Promise<string> {
  const machine = cluster.workers[0]!
  const told: string[] = []
  const missed: string[] = []
  for (const mode of Object.keys(files) as Mode[]) {
    await suite(cluster, mode, machine).then((line) => told.push(line), (e: unknown) => {
      if (!(e instanceof CheckError)) throw e
      missed.push(e.message)
    })
  }
  must(missed.length === 0, missed.join('; '))
  return `on ${machine.name}, ${told.join('; ')}`
}

export const routing: readonly Check[] = [
  { part: 'routing', what: 'a worker has the behaviour suite of service routing', run: bring },
  { part: 'routing', what: 'it holds on its kernel in all three modes', run: suites },
  {
    part: 'routing',
    what: 'and leaves nothing behind there',
    async run(cluster) {
      const machine = cluster.workers[0]!
      const left = (await cluster.ssh(machine, `sudo systemctl stop 'wherry-suite-*'; sudo rm -rf ${place}; ip netns list | grep -c '^wt-' || true`)).trim()
      must(left === '0', `${machine.name} has ${left} network namespaces of tests`)
      return 'no namespace, no file'
    },
  },
]

/** A real lab with stand-ins for hub and agents: namespaces, control groups, supervisor, containerd, and the end of it all. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { BoundSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { describeAsRoot } from '../../test/kit/netns.ts'
import { waitFor } from '../../test/kit/wait.ts'
import { readConfig } from '../config.ts'
import { createExec } from '../exec.ts'
import { createSteps } from '../progress.ts'
import { allDirs, groupMembers, parseLayout, planCgroup, takeCgroupSteps } from './cgroups.ts'
import { type ChildSpec, planChildren } from './children.ts'
import { answers, ctr, importImage, writeContainerdConfigs } from './containerd.ts'
import { labDown } from './down.ts'
import { buildEchoImage, echoImageName } from './image/image.ts'
import { requireFreePort } from './listener.ts'
import { observeRoot, recallPlan, writeMemory } from './memory.ts'
import { buildNetwork, labNamespaces } from './namespaces.ts'
import { recordsOf } from './nursery.ts'
import { inside, type LabPlan, namespacesOf } from './plan.ts'
import { findProgram } from './preflight.ts'
import { createProcesses } from './process.ts'
import { type LabDeps, restartStrays, startSupervisor } from './start.ts'

/** Answers with its process id, on the lent socket and on its own address. */
const standInHub = `
import { createServer } from 'node:http'
const answer = (request, response) => response.setHeader('connection', 'close').end('pod=' + process.pid + ' node=hub')
createServer(answer).listen({ fd: 3 })
createServer(answer).listen(6443, '198.18.0.10')
`

describeAsRoot('a lab on the real kernel', () => {
  const signal = AbortSignal.timeout(110_000)
  const config = readConfig({}, { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' })
  const deps: LabDeps = { exec: createExec(config.path), clock: systemClock, processes: createProcesses(), config, signal }
  const { exec, processes } = deps
  const dir = mkdtempSync(join(tmpdir(), 'wherry-lab-'))
  const port = freePort()
  const wish = {
    name: `wl${randomBytes(3).toString('hex')}`,
    nodes: 2,
    port,
    stateDir: join(dir, 'state'),
    runDir: join(dir, 'run'),
  }
  const { plan } = recallPlan(wish)
  const node = plan.nodes[0]!
  const layout = parseLayout(readFileSync('/proc/self/mountinfo', 'utf8'))
  const image = { name: echoImageName, archive: join(dir, 'image.tar') }
  let said = ''
  const steps = createSteps({ write: (text) => (said += text), now: () => Date.now(), colour: false })

  const pidOf = (name: string): number => recordsOf(plan.runDir).read(name)?.pid ?? 0
  const live = (name: string): boolean => processes.identify(pidOf(name)) !== undefined
  const killNow = (name: string): number => {
    const record = recordsOf(plan.runDir).read(name)!
    processes.signal(record, 'SIGKILL')
    return record.pid
  }

  /** A process may answer before its supervisor has written down which one it is. */
  const another = (name: string, before: number): Promise<void> =>
    waitFor(`another ${name} on record`, () => pidOf(name) !== before && live(name))

  async function build(): Promise<void> {
    writeMemory(plan, await observeRoot(exec, signal))
    await buildNetwork(plan, exec, signal)
    for (const group of [`${plan.cgroup}/hub`, ...plan.nodes.map((n) => n.cgroup)]) takeCgroupSteps(planCgroup(layout, group))
    writeContainerdConfigs(plan)
    await startSupervisor(plan, standIns(plan, dir, config.node), deps)
    await waitFor('the hub', () =>
      asked(port).then(
        (body) => body !== undefined,
        () => false,
      ),
    )
    await waitFor('containerd', () => answers(node, exec, signal))
  }

  async function runContainer(id: string): Promise<void> {
    await importImage(node, image, exec, signal)
    await exec.run(ctr(node, 'run', '--detach', '--cgroup', `${node.cgroup}/pods/${id}`, echoImageName, id, 'sleep', '600'), {
      signal,
      timeoutMs: 20_000,
    })
  }
  const tasks = async (): Promise<string> => (await exec.run(ctr(node, 'tasks', 'list'), { signal, timeoutMs: 10_000 })).stdout

  beforeAll(async () => {
    writeFileSync(join(dir, 'hub.mjs'), standInHub)
    writeFileSync(
      image.archive,
      buildEchoImage({
        busybox: readFileSync(findProgram('busybox', config.path)!),
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      }),
    )
    await build()
  })
  afterAll(async () => {
    await labDown(wish, steps, deps)
    rmSync(dir, { recursive: true, force: true })
  })

  test('a network that stands needs no more steps; one that is damaged is repaired', async () => {
    expect(await buildNetwork(plan, exec, signal)).toBe(0)
    await exec.run(['ip', '-n', plan.switch.namespace, 'link', 'del', 'node2'], { signal, timeoutMs: 5_000 })
    expect(await buildNetwork(plan, exec, signal)).toBeGreaterThan(0)
    expect(await buildNetwork(plan, exec, signal)).toBe(0)
  })

  test("nodes reach the hub, and nothing of the lab is in the machine's own network", async () => {
    for (const { namespace } of plan.nodes) {
      const { stdout } = await exec.run(
        inside(namespace, [...config.node, join(config.root, 'cli/lab/probe.ts'), 'http:198.18.0.10:6443']),
        { signal, timeoutMs: 10_000 },
      )
      expect(JSON.parse(stdout)).toMatchObject({ kind: 'answered', body: `pod=${pidOf('hub')} node=hub` })
    }
    const routes = await exec
      .run(['ip', 'route', 'get', '198.18.0.11'], { signal, timeoutMs: 5_000 })
      .catch(() => ({ stdout: '' }))
    expect(routes.stdout).not.toContain('lan')
  })

  test('the port is taken for everybody else, in words', () => {
    expect(() => requireFreePort(port)).toThrow(`something else listens on 127.0.0.1:${port} already`)
  })

  test('each process is in the group of its node', () => {
    expect(groupMembers(layout, `${plan.cgroup}/hub`)).toContain(pidOf('hub'))
    expect(groupMembers(layout, node.cgroup)).toEqual(expect.arrayContaining([pidOf('agent-node1'), pidOf('containerd-node1')]))
  })

  test('a killed hub comes back, and nobody is refused meanwhile', async () => {
    const before = killNow('hub')
    const bodies = await Promise.all(Array.from({ length: 20 }, () => asked(port)))
    expect(new Set(bodies).size).toBe(1)
    await another('hub', before)
    expect(bodies[0]).toBe(`pod=${pidOf('hub')} node=hub`)
  })

  test('a killed supervisor leaves everything running; the next one knows it again, the listening socket too', async () => {
    const names = ['hub', 'containerd-node1', 'agent-node1', 'agent-node2']
    const before = names.map(pidOf)
    killNow('supervisor')
    await waitFor('its end', () => !live('supervisor'))
    expect(await asked(port)).toContain(`pod=${pidOf('hub')}`)
    expect(await startSupervisor(plan, standIns(plan, dir, config.node), deps)).toBe('started')
    expect(names.map(pidOf)).toEqual(before)
    expect(names.every(live)).toBe(true)
    killNow('hub')
    const bodies = await Promise.all(Array.from({ length: 20 }, () => asked(port)))
    await another('hub', before[0]!)
    expect(bodies[0]).toBe(`pod=${pidOf('hub')} node=hub`)
  })

  test('a second start changes nothing', async () => {
    const before = pidOf('supervisor')
    expect(await startSupervisor(plan, standIns(plan, dir, config.node), deps)).toBe('runs already')
    expect(pidOf('supervisor')).toBe(before)
  })

  test('the image is imported once; a container outlives its containerd', async () => {
    expect(await importImage(node, image, exec, signal)).toBe(true)
    expect(await importImage(node, image, exec, signal)).toBe(false)
    await runContainer('wl-first')
    const line = (await tasks()).split('\n').find((text) => text.startsWith('wl-first'))
    const pid = Number(line?.split(/\s+/)[1])
    expect(groupMembers(layout, `${node.cgroup}/pods`)).toContain(pid)
    const before = killNow('containerd-node1')
    await another('containerd-node1', before)
    await waitFor('containerd', () => answers(node, exec, signal))
    expect((await tasks()).split('\n').find((text) => text.startsWith('wl-first'))).toBe(line)
  })

  test('processes whose namespace somebody deleted are moved into the new one', async () => {
    const before = pidOf('agent-node2')
    await exec.run(['ip', 'netns', 'del', `${plan.name}-node2`], { signal, timeoutMs: 5_000 })
    await buildNetwork(plan, exec, signal)
    expect(await restartStrays(plan, deps)).toEqual(['agent-node2'])
    await another('agent-node2', before)
    expect(await restartStrays(plan, deps)).toEqual([])
  })

  test('processes that would have another command now are started with it', async () => {
    const before = pidOf('agent-node1')
    const others = standIns(plan, dir, config.node).map((child) => (child.name === 'agent-node1' ? { ...child, argv: child.argv.with(-1, '599') } : child))
    await startSupervisor(plan, others, deps)
    expect(await restartStrays(plan, deps)).toEqual(['agent-node1'])
    await another('agent-node1', before)
    expect(processes.command(pidOf('agent-node1'))?.at(-1)).toBe('599')
    expect(await restartStrays(plan, deps)).toEqual([])
  })

  test('asked to end, the supervisor ends every child; containers go on', async () => {
    const records = recordsOf(plan.runDir)
    const known = ['supervisor', 'hub', 'containerd-node1', 'agent-node1', 'agent-node2'].map((name) => records.read(name)!)
    const before = (await tasks()).split('\n').find((text) => text.startsWith('wl-first'))
    processes.signal(known[0]!, 'SIGTERM')
    await waitFor('all to end', () => known.every((record) => !processes.isAlive(record)))
    expect(records.all()).toEqual([])
    await startSupervisor(plan, standIns(plan, dir, config.node), deps)
    await waitFor('containerd', () => answers(node, exec, signal))
    expect((await tasks()).split('\n').find((text) => text.startsWith('wl-first'))).toBe(before)
  })

  test('down takes it away and says what it looked at; a second down finds nothing', async () => {
    // A pod's namespace, and one of a lab that is not this one.
    const [pod, foreign] = [`${node.namespace}-0123456789ab`, `x${plan.name}-node1-0123456789ab`]
    for (const name of [pod, foreign]) await exec.run(['ip', 'netns', 'add', name], { signal, timeoutMs: 5_000 })
    expect(labNamespaces(plan).toSorted()).toEqual([...namespacesOf(plan), pod].toSorted())
    await labDown(wish, steps, deps)
    expect(said).toContain('nothing is left: looked at processes, mounts')
    expect(existsSync(`/run/netns/${foreign}`), 'of somebody else').toBe(true)
    await exec.run(['ip', 'netns', 'del', foreign], { signal, timeoutMs: 5_000 })
    expect([existsSync(plan.stateDir), existsSync(plan.runDir)]).toEqual([false, false])
    expect([allDirs(layout, plan.cgroup), labNamespaces(plan)]).toEqual([[], []])
    await labDown(wish, steps, deps)
    expect(said).toContain('There is no lab here')
  })

  test('down also takes away a lab whose supervisor and containerd were killed', async () => {
    await build()
    await runContainer('wl-second')
    const [container] = groupMembers(layout, `${node.cgroup}/pods`)
    const known = processes.identify(container!)!
    const members = ['supervisor', 'containerd-node1', 'hub'].map(killNow)
    await waitFor('their end', () => members.every((pid) => !processes.identify(pid)))
    await labDown(wish, steps, deps)
    expect(processes.isAlive(known)).toBe(false)
    expect([existsSync(plan.stateDir), existsSync('/run/containerd/runc/wherry/wl-second')]).toEqual([false, false])
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(dir)
  })
})

/** The lab's own children where they are real, with a stand-in for hub and agents; one containerd is enough. */
function standIns(plan: LabPlan, dir: string, node: readonly string[]): readonly ChildSpec[] {
  return planChildren(plan, { node, root: '/nowhere' })
    .filter((child) => child.name !== 'containerd-node2')
    .map((child) => {
      if (child.kind === 'containerd') return child
      const argv = child.kind === 'hub' ? [node[0]!, join(dir, 'hub.mjs')] : ['sleep', '600']
      return { ...child, needs: [], argv: inside(child.namespace!, argv) }
    })
}

function asked(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = get({ host: '127.0.0.1', port, agent: false, timeout: 20_000 }, (answer) => {
      let body = ''
      answer.on('data', (part: Buffer) => (body += part.toString()))
      answer.on('end', () => resolve(body))
    })
    call.on('timeout', () => call.destroy(new Error('no answer')))
    call.on('error', reject)
  })
}

/** Below those that the kernel gives to whoever asks for none: while nobody listens on it, nobody else gets it by chance. */
function freePort(): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    try {
      new BoundSocket({ host: '127.0.0.1', port }).close()
      return port
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw e
    }
  }
}

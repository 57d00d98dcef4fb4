/** Containers with a stdin and with a terminal on a real containerd: what the runtime in memory cannot show. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { execPath, pid } from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { goArchitecture } from '../../agent/metrics/node-facts.ts'
import { createCtrRuntime } from '../../agent/pods/runtime/ctr.ts'
import type { ContainerSpec, Runtime } from '../../agent/pods/runtime/runtime.ts'
import { echoImageName } from '../../cli/lab/image/image.ts'
import { waitFor } from '../kit/wait.ts'
import { noContainerd, startContainerd, type TestContainerd } from '../lab/containerd.ts'
import type { AttachedPlan } from './attached-process.ts'
import { refusal, until, visit } from './runtime.ts'

const deadline = (): AbortSignal => AbortSignal.timeout(20_000)
const namespace = 'attached'
/** As `kubectl run -it` asks for one: for one, which a terminal's stdin is not. */
const terminal = { stdin: true, stdinOnce: true, tty: true }

describe.skipIf(noContainerd)(`containers that are spoken to${noContainerd ? ` (skipped: ${noContainerd})` : ''}`, () => {
  let containerd: TestContainerd
  let runtime: Runtime
  const place = () => ({ address: containerd.address, namespace, stateDir: join(containerd.dir, 'runtime'), runcRoot: join(containerd.dir, 'runc') })
  const newRuntime = (): Runtime =>
    createCtrRuntime({ ...place(), exec: containerd.exec, clock: systemClock, log: silentLog, node: execPath, architecture: goArchitecture() })
  const spec = (id: string, more: Partial<ContainerSpec>): ContainerSpec => ({
    id,
    image: echoImageName,
    env: [],
    hostname: 'attached',
    netns: `/run/netns/${containerd.netns}`,
    cgroup: `${containerd.cgroup}/${id}`,
    mounts: [],
    privileged: false,
    logPath: join(containerd.dir, 'logs', `${id}.log`),
    labels: {},
    ...more,
  })
  const log = (id: string): string => readFileSync(join(containerd.dir, 'logs', `${id}.log`), 'utf8')
  /** Processes that were started with this word; loggers have the path of their log. */
  const processesOf = (word: string): readonly string[] =>
    readdirSync('/proc').filter((name) => {
      try {
        return /^\d+$/.test(name) && name !== String(pid) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(word)
      } catch {
        return false
      }
    })
  const gone = async (id: string, exitCode: number): Promise<void> => {
    expect(await until(runtime, id, (c) => c?.phase === 'exited')).toMatchObject({ exitCode })
    await runtime.remove(id, deadline())
  }
  const kill = async (id: string): Promise<void> => {
    await runtime.kill(id, 'SIGKILL', deadline())
    await gone(id, 137)
  }

  beforeAll(async () => {
    containerd = await startContainerd('att', namespace)
    runtime = newRuntime()
  })
  afterAll(() => containerd?.stop())

  test('a terminal: its size, one output, the log, the exit code; and the surroundings of any container', async () => {
    const made = spec('terminal', { ...terminal, command: ['/bin/sh'], env: [{ name: 'GREETING', value: 'a b' }], workingDir: '/etc', cpuShares: 102, memoryBytesLimit: 64 << 20 })
    await runtime.run(made, deadline())
    const visitor = visit(runtime, made)
    visitor.resize(97, 31)
    await visitor.hears('stty size; tty; pwd; echo $GREETING $TERM >&2; hostname; cat /proc/self/cgroup; echo don""e\n', 'done')
    visitor.say('exit 3\n')
    await gone('terminal', 3)
    const heard = await visitor.ended
    for (const line of ['31 97', '/dev/pts/0', '/etc', 'a b xterm', 'attached']) expect(heard).toContain(`\n${line}\r\n`)
    expect(heard).toContain(made.cgroup)
    expect(log('terminal')).toMatch(/^\S+Z stdout F 31 97\r$/m)
    expect(log('terminal')).not.toContain('stderr')
  })

  test('a terminal without a stdin, and one whose command is not there', async () => {
    const mute = spec('mute', { tty: true, command: ['/bin/sh', '-c', 'tty; sleep 600'] })
    await runtime.run(mute, deadline())
    const visitor = visit(runtime, mute)
    visitor.say('exit\n')
    await waitFor('the log', () => /stdout F \/dev\/pts\/0\r$/m.test(log('mute')))
    await kill('mute')
    expect(await visitor.ended).not.toContain('exit')
    expect(await refusal(runtime.run(spec('mute', { ...terminal, command: ['/none'] }), deadline()))).toBe('CONTAINER_CREATE')
    expect(await runtime.list(deadline())).toEqual([])
  })

  test.each([
    ['terminal', terminal],
    ['stdin', { stdin: true }],
  ])('an agent that is killed takes nothing of a container with a %s along', async (name, more) => {
    const id = `survives-${name}`
    const made = spec(id, { ...more, command: ['/bin/sh', '-c', 'while read line; do echo "heard $line"; done'] })
    const plan: AttachedPlan = { ...place(), spec: made, line: 'one\n' }
    const agent = spawn(execPath, [join(import.meta.dirname, 'attached-process.ts'), JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    agent.stdout.on('data', (bytes) => (said += String(bytes)))
    await waitFor('the first answer', () => said.includes('heard one'))
    agent.kill('SIGKILL')
    await once(agent, 'close')
    runtime = newRuntime()
    expect(await runtime.list(deadline())).toMatchObject([{ id, phase: 'running' }])
    const visitor = visit(runtime, made)
    await visitor.hears('two\n', 'heard two')
    visitor.leave()
    await visitor.ended.catch(() => {})
    const next = visit(runtime, made)
    await next.hears('three\n', 'heard three')
    await kill(id)
    await next.ended
    expect(log(id).match(/heard \w+/g)).toEqual(['heard one', 'heard two', 'heard three'])
    expect(await next.ended).not.toContain('two')
  })

  test('an agent that is killed while it is the one who speaks ends a stdin that is for one', async () => {
    const made = spec('orphan', { stdin: true, stdinOnce: true, command: ['/bin/sh', '-c', 'while read line; do echo "heard $line"; done; echo "the end"'] })
    const agent = spawn(execPath, [join(import.meta.dirname, 'attached-process.ts'), JSON.stringify({ ...place(), spec: made, line: 'one\n' })], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(agent.stdout, 'data')
    agent.kill('SIGKILL')
    runtime = newRuntime()
    await gone('orphan', 0)
    expect(log('orphan')).toContain('the end')
  })

  test('who speaks to a container that does not read, and goes away, leaves no descriptor', async () => {
    const made = spec('busy', { stdin: true, command: ['/bin/sh', '-c', 'sleep 600'] })
    await runtime.run(made, deadline())
    const before = readdirSync('/proc/self/fd').length
    for (let i = 0; i < 3; i++) {
      const visitor = visit(runtime, made)
      visitor.say('x'.repeat(300_000))
      await waitFor('a session', () => readdirSync('/proc/self/fd').length > before)
      visitor.leave()
      await visitor.ended.catch(() => {})
    }
    await waitFor('our descriptors', () => readdirSync('/proc/self/fd').length <= before)
    await kill('busy')
  })

  test('nothing is left of any of them: no process, no pipe, no socket', async () => {
    await waitFor('the loggers', () => processesOf(join(containerd.dir, 'logs')).length === 0)
    for (const folder of ['stdin', 'live', 'uts']) {
      const path = join(containerd.dir, 'runtime', folder)
      expect([folder, existsSync(path) ? readdirSync(path) : []]).toEqual([folder, []])
    }
  })
})

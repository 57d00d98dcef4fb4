import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath, pid } from 'node:process'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import type { Exec } from '../../agent/kernel/exec.ts'
import { goArchitecture } from '../../agent/metrics/node-facts.ts'
import { createCtrRuntime } from '../../agent/pods/runtime/ctr.ts'
import { createFakeRuntime } from '../../agent/pods/runtime/fake.ts'
import type { FakeProgram } from '../../agent/pods/runtime/fake-talk.ts'
import type { ContainerSpec, Runtime } from '../../agent/pods/runtime/runtime.ts'
import { echoImageName } from '../../cli/lab/image/image.ts'
import { noContainerd, startContainerd, type TestContainerd } from '../lab/containerd.ts'
import { runtimeLaws, until, type Program } from './runtime.ts'

const deadline = (): AbortSignal => AbortSignal.timeout(20_000)

function specOf(id: string, program: Program, more: Partial<ContainerSpec>): ContainerSpec {
  const commands = { serve: undefined, end: ['/bin/sh', '-c', `exit ${'code' in program ? program.code : 0}`], broken: ['/none'], repeat: ['cat'] }
  const { stdin, stdinOnce } = { stdin: false, stdinOnce: false, ...program }
  return {
    id,
    image: echoImageName,
    command: commands[program.kind],
    env: [],
    hostname: 'laws',
    cgroup: `/none/${id}`,
    mounts: [],
    privileged: false,
    logPath: `/none/${id}.log`,
    labels: { 'wherry.io/pod-name': id },
    stdin,
    stdinOnce,
    ...more,
  }
}

describe('the runtime in memory', () => {
  const runtime = createFakeRuntime(() => Date.parse('2026-01-01T00:00:00Z'))
  runtime.images.add(echoImageName)
  runtime.brokenCommands.add('/none')
  const repeat: FakeProgram = async function* (_spec, input) {
    for await (const part of input) if (part.kind === 'bytes') yield { kind: 'out', bytes: part.bytes }
    yield { kind: 'exit', code: 0 }
  }
  runtime.programs.set('cat', repeat)
  runtime.mains.set('cat', repeat)
  runtime.programs.set('sh', async function* () {
    yield { kind: 'err', bytes: Buffer.from('no\n') }
    yield { kind: 'exit', code: 3 }
  })
  runtimeLaws(() => ({
    runtime,
    image: echoImageName,
    absentImage: '127.0.0.1:1/none:1',
    spec: (id, program) => specOf(id, program, {}),
    act: (id, program) => program.kind === 'end' && runtime.exit(id, program.code),
  }))
})

describe.skipIf(noContainerd)(`containerd${noContainerd ? ` (skipped: ${noContainerd})` : ''}`, () => {
  let containerd: TestContainerd
  let runtime: Runtime

  /** As an agent does when it starts. */
  const newRuntime = (exec: Exec = containerd.exec): Runtime =>
    createCtrRuntime({
      exec,
      clock: systemClock,
      log: silentLog,
      address: containerd.address,
      namespace: 'laws',
      stateDir: join(containerd.dir, 'runtime'),
      runcRoot: join(containerd.dir, 'runc'),
      node: execPath,
      compileCache: join(containerd.dir, 'compiled'),
      architecture: goArchitecture(),
    })
  const spec = (id: string, program: Program, more: Partial<ContainerSpec> = {}): ContainerSpec =>
    specOf(id, program, {
      netns: `/run/netns/${containerd.netns}`,
      cgroup: `${containerd.cgroup}/${id}`,
      logPath: join(containerd.dir, 'logs', `${id}.log`),
      ...more,
    })
  const away = async (id: string): Promise<void> => {
    await runtime.kill(id, 'SIGKILL', deadline())
    await until(runtime, id, (c) => c?.phase === 'exited')
    await runtime.remove(id, deadline())
  }
  /** Runs a line of shell to its end; gives what it wrote, without time and stream. */
  const output = async (id: string, line: string, more: Partial<ContainerSpec> = {}): Promise<string> => {
    await runtime.run(spec(id, { kind: 'serve' }, { command: ['/bin/sh', '-c', line], ...more }), deadline())
    await until(runtime, id, (c) => c?.phase === 'exited')
    await runtime.remove(id, deadline())
    return text(id)
  }
  const text = (id: string): string => {
    const lines = readFileSync(join(containerd.dir, 'logs', `${id}.log`), 'utf8').trimEnd().split('\n')
    return lines.map((l) => l.replace(/^\S+ std\w+ F /, '')).join('\n')
  }

  beforeAll(async () => {
    containerd = await startContainerd('laws', 'laws')
    runtime = newRuntime()
  })
  afterAll(() => containerd?.stop())

  runtimeLaws(() => ({ runtime, image: echoImageName, absentImage: '127.0.0.1:1/none:1', spec, act: () => {} }))

  test('host name, environment, working directory and mounts are as asked', async () => {
    const source = join(containerd.dir, 'a,b')
    mkdirSync(source)
    writeFileSync(join(source, 'file'), 'mounted')
    const said = await output('asks', 'hostname; echo $A; pwd; cat /m/file; echo; touch /m/x || echo read-only', {
      hostname: 'my-pod',
      env: [{ name: 'A', value: 'x y=z,"q"' }],
      workingDir: '/etc',
      mounts: [{ source, target: '/m', readOnly: true }],
    })
    expect(said.split('\n').filter((l) => !l.startsWith('touch'))).toEqual(['my-pod', 'x y=z,"q"', '/etc', 'mounted', 'read-only'])
    expect(existsSync(join(containerd.dir, 'runtime', 'uts', 'asks'))).toBe(false)
  })

  test('what a logger compiled is kept for those to come, while its container still runs', async () => {
    const compiled = join(containerd.dir, 'compiled')
    rmSync(compiled, { recursive: true, force: true })
    await runtime.run(spec('compiles', { kind: 'serve' }), deadline())
    const files = (): readonly string[] => (existsSync(compiled) ? readdirSync(compiled, { recursive: true, encoding: 'utf8' }) : [])
    await vi.waitUntil(() => files().length > 1, { timeout: 20_000 })
    expect((await runtime.list(deadline())).find((c) => c.id === 'compiles')).toMatchObject({ phase: 'running' })
    await away('compiles')
  })

  test('an end before the events are heard is told when they are', async () => {
    await runtime.run(spec('early', { kind: 'serve' }), deadline())
    const slow: Exec = {
      ...containerd.exec,
      stream: ({ command, args }, onLine, signal) => containerd.exec.stream({ command: '/bin/sh', args: ['-c', 'sleep 2; exec "$@"', 'sh', command, ...args] }, onLine, signal),
    }
    let calls = 0
    const stop = newRuntime(slow).watch(() => calls++)
    try {
      await runtime.kill('early', 'SIGKILL', deadline())
      await until(runtime, 'early', (c) => c?.phase === 'exited')
      const before = calls
      await vi.waitUntil(() => calls > before, { timeout: 20_000 })
    } finally {
      stop()
    }
    await runtime.remove('early', deadline())
  })

  test('args alone keep the entry point of the image', async () => {
    const id = 'args'
    await runtime.run(spec(id, { kind: 'serve' }, { args: ['more'] }), deadline())
    const ps = await containerd.exec.run({ command: 'ctr', args: ['-a', containerd.address, '-n', 'laws', 'c', 'info', id] }, deadline())
    expect((JSON.parse(ps.stdout) as { Spec: { process: { args: string[] } } }).Spec.process.args).toEqual(['/bin/echo-server', 'more'])
    await away(id)
  })

  test('rights are dropped as asked, and the file system can be read-only', async () => {
    const said = await output('rights', 'grep -E "CapEff|NoNewPrivs" /proc/self/status || cat /proc/self/status; touch /x || echo read-only', {
      capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] },
      readOnlyRoot: true,
      noNewPrivileges: true,
    })
    expect(said).toContain('CapEff:\t0000000000000400')
    expect(said).toContain('NoNewPrivs:\t1')
    expect(said).toContain('read-only')
  })

  test('a second containerd on the machine may have containers of the same names', async () => {
    const other = await startContainerd('other', 'laws')
    const same = `same-${pid}`
    try {
      const args = ['-a', other.address, '-n', 'laws', 'run', '-d', '--net-host', '--cgroup', `${other.cgroup}/same`, echoImageName, same]
      await other.exec.run({ command: 'ctr', args }, deadline())
      await runtime.run(spec(same, { kind: 'serve' }), deadline())
      await away(same)
      const left = await other.exec.run({ command: 'ctr', args: ['-a', other.address, '-n', 'laws', 'tasks', 'ls'] }, deadline())
      expect(left.stdout).toMatch(new RegExp(`^${same} +\\d+ +RUNNING`, 'm'))
    } finally {
      await other.stop()
    }
  })

  test('what both outputs say is in the log, line by line with its time', async () => {
    await output('speaks', 'echo out; echo err >&2; printf "no newline"')
    const lines = readFileSync(join(containerd.dir, 'logs', 'speaks.log'), 'utf8').trimEnd().split('\n')
    expect(lines.map((l) => l.replace(/^\S+ /, '')).toSorted()).toEqual(['stderr F err', 'stdout F no newline', 'stdout F out'])
    expect(lines.every((l) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /.test(l))).toBe(true)
  })

  test('a container that takes too much memory ends with the cause', async () => {
    const command = ['/bin/sh', '-c', 'x=aaaaaaaaaaaaaaaa; while true; do x="$x$x"; done']
    await runtime.run(spec('greedy', { kind: 'serve' }, { command, memoryBytesLimit: 8_000_000 }), deadline())
    expect(await until(runtime, 'greedy', (c) => c?.phase === 'exited')).toMatchObject({ exitCode: 137, why: 'oom' })
    await runtime.remove('greedy', deadline())
  })

  test('what ended while no agent was there has its exit code, and what runs goes on', async () => {
    await runtime.run(spec('goes-on', { kind: 'serve' }), deadline())
    await runtime.run(spec('ends-unseen', { kind: 'end', code: 9 }), deadline())
    const second = newRuntime()
    expect(await until(second, 'ends-unseen', (c) => c?.phase === 'exited')).toMatchObject({ exitCode: 9 })
    expect((await newRuntime().list(deadline())).map((c) => `${c.id} ${c.phase}`).toSorted()).toEqual(['ends-unseen exited', 'goes-on running'])
    await second.kill('goes-on', 'SIGKILL', deadline())
    await until(second, 'goes-on', (c) => c?.phase === 'exited')
    for (const id of ['goes-on', 'ends-unseen']) await second.remove(id, deadline())
  })

  test('a container that was made but never started is told apart, and can be removed', async () => {
    const args = ['-a', containerd.address, '-n', 'laws', 'containers', 'create', echoImageName, 'half']
    await containerd.exec.run({ command: 'ctr', args }, deadline())
    expect(await runtime.list(deadline())).toMatchObject([{ id: 'half', phase: 'created' }])
    await runtime.remove('half', deadline())
    expect(await runtime.list(deadline())).toEqual([])
  })

  test('a started container whose task is gone without a word is lost, not new', async () => {
    await runtime.run(spec('lost', { kind: 'serve' }), deadline())
    await containerd.exec.run({ command: 'ctr', args: ['-a', containerd.address, '-n', 'laws', 'tasks', 'rm', '-f', 'lost'] }, deadline())
    expect(await runtime.list(deadline())).toMatchObject([{ id: 'lost', phase: 'exited', exitCode: 255, why: 'lost' }])
    await runtime.remove('lost', deadline())
  })
})

/** What is said to `ctr` and what it says. The outputs are containerd 1.6.20's. */
import { execFileSync } from 'node:child_process'
import { mkdtempDisposableSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createArgs, processArgs, runArgs } from './ctr-args.ts'
import * as output from './ctr-output.ts'
import { loggerUri, readLoggerPlan } from './logger-plan.ts'
import type { ContainerSpec } from './runtime.ts'

const spec: ContainerSpec = {
  id: 'web-1-0',
  image: 'registry.test/web:1',
  env: [{ name: 'A', value: 'x=y' }],
  hostname: 'web-1',
  netns: '/run/netns/n',
  cgroup: '/wherry/pod1/web-1-0',
  mounts: [],
  privileged: false,
  logPath: '/var/log/web',
  labels: { l: 'v' },
}
const around = { image: { digest: 'sha256:1', entrypoint: ['/entry'] }, logUri: 'file:///log', runcRoot: '/run/r', uts: '/uts/n' }
/** The values of a flag. */
const valuesOf = (args: readonly string[], flag: string): readonly string[] => args.filter((_, i) => args[i - 1] === flag)

describe('a container as arguments', () => {
  test('the image, the name and the command come last, and flags before', () => {
    const args = runArgs({ ...spec, command: ['/bin/sh', '-c', '--env'] }, around)
    expect(args.slice(-5)).toEqual(['registry.test/web:1', 'web-1-0', '/bin/sh', '-c', '--env'])
    expect(valuesOf(args, '--runc-root')).toEqual(['/run/r'])
    expect(valuesOf(args, '--with-ns')).toEqual(['network:/run/netns/n', 'uts:/uts/n'])
    expect(valuesOf(args, '--label')).toEqual(['l=v', 'wherry.io/image-digest=sha256:1'])
    expect(valuesOf(args, '--env').slice(0, 1)).toEqual(['A=x=y'])
    expect(args).toContain('--allow-new-privs')
  })

  test("without a namespace it is on the node's network", () => {
    expect(runArgs({ ...spec, netns: undefined }, { ...around, uts: undefined })).toContain('--net-host')
  })

  test('limits: half a core, no less than the kernel takes, and bytes', () => {
    const args = runArgs({ ...spec, cpuMillisLimit: 500, memoryBytesLimit: 1024, cpuShares: 102 }, around)
    expect([valuesOf(args, '--cpu-quota'), valuesOf(args, '--cpu-period')]).toEqual([['50000'], ['100000']])
    expect([valuesOf(args, '--memory-limit'), valuesOf(args, '--cpu-shares')]).toEqual([['1024'], ['102']])
    expect(valuesOf(runArgs({ ...spec, cpuMillisLimit: 1 }, around), '--cpu-quota')).toEqual(['1000'])
  })

  test('what is run in place of runc is named, and nothing where that is runc', () => {
    expect(valuesOf(runArgs(spec, { ...around, runc: '/stdin/web/runc' }), '--runc-binary')).toEqual(['/stdin/web/runc'])
    expect(runArgs(spec, around)).not.toContain('--runc-binary')
  })

  test('a container that is only created is asked for without what that command does not know', () => {
    const all = { ...spec, tty: true, cpuShares: 102, cpuMillisLimit: 500, command: ['/bin/sh', '-c', 'x'] }
    const [run, create] = [runArgs(all, around), createArgs(all, around)]
    expect(create).toContain('--tty')
    for (const flag of ['--detach', '--cgroup', '--runc-root', '--log-uri', '--cpu-shares']) expect([flag, run.includes(flag), create.includes(flag)]).toEqual([flag, true, false])
    expect(create.slice(1)).toEqual(run.slice(run.indexOf('--with-ns')).toSpliced(-5, 0, '--'))
    expect(createArgs({ ...all, tty: false }, around)).not.toContain('--tty')
  })

  test('a mount with a comma or a quote in its path stays one field', () => {
    const mounts = [{ source: '/a,b', target: '/c"d', readOnly: true }]
    expect(valuesOf(runArgs({ ...spec, mounts }, around), '--mount')).toEqual(['type=bind,"src=/a,b","dst=/c""d",options=rbind:rprivate:ro'])
  })

  test.each([
    [undefined, undefined, []],
    [['c'], undefined, ['c']],
    [['c'], ['a'], ['c', 'a']],
    [undefined, ['a'], ['/entry', 'a']],
    [[], [], []],
  ])('command %j and args %j run %j', (command, args, all) => {
    expect(processArgs({ command, args }, around.image)).toEqual(all)
  })

  test.each([['/cache/it\'s $HOME'], [undefined]])('the logger gets its script, its plan, and %j as the cache of Node', (compileCache) => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "no de's "))
    const node = join(folder.path, 'node')
    writeFileSync(node, '#!/bin/sh\nprintf "%s\\n" "${NODE_COMPILE_CACHE-none}" "$@"\n', { mode: 0o700 })
    const plan = { log: '/logs/a&b=c/0.log', live: '/live/1', tty: false, stdin: { pipe: `/stdin/"1"/it's/pipe`, once: true } }
    const uri = new URL(loggerUri({ node, script: '/w/logger.ts', compileCache }, plan))
    const [argument = [], ...more] = [...uri.searchParams]
    expect(more).toEqual([])
    const [cache, script, told = '', ...rest] = execFileSync(uri.pathname, argument, { env: {} }).toString().trimEnd().split('\n')
    expect([cache, script, readLoggerPlan(told), rest]).toEqual([compileCache ?? 'none', '/w/logger.ts', plan, []])
  })
})

describe('what ctr says', () => {
  test('tasks', () => {
    const text = 'TASK      PID      STATUS    \nweb-1     15777    RUNNING\nweb-2     0        STOPPED\n'
    expect(output.parseTasks(text)).toEqual([
      { id: 'web-1', pid: 15777, status: 'RUNNING' },
      { id: 'web-2', pid: 0, status: 'STOPPED' },
    ])
    expect(output.parseTasks('TASK    PID    STATUS    \n')).toEqual([])
  })

  test('an image', () => {
    const text = 'REF     TYPE        DIGEST    SIZE    PLATFORMS   LABELS \nr/web:1 application/x sha256:ab 1.9 MiB linux/amd64 -      \n'
    expect(output.parseImageDigest(text, 'r/web:1')).toBe('sha256:ab')
    expect(output.parseImageDigest(text, 'r/web:2')).toBeUndefined()
  })

  test('the version of the server, not of the client', () => {
    expect(output.parseServerVersion('Client:\n  Version:  1.7.0\n\nServer:\n  Version:  1.6.20~ds1\n')).toBe('1.6.20~ds1')
    expect(output.parseServerVersion('Client:\n  Version:  1.7.0\n')).toBeUndefined()
  })

  test('the exit code of a task that was removed', () => {
    expect(output.parseExitCode('time="…" level=warning msg="task c1 exit with non-zero exit code 7"\n')).toBe(7)
    expect(output.parseExitCode('')).toBe(0)
  })

  const event = (topic: string, body: object, namespace = 'wherry'): string =>
    `2026-11-21 04:35:31.681836193 +0000 UTC ${namespace} ${topic} ${JSON.stringify(body)}`

  test.each([
    [
      event('/tasks/exit', { container_id: 'c', id: 'c', pid: 1, exit_status: 7, exited_at: '2026-11-21T04:35:31Z' }),
      { kind: 'exit', id: 'c', code: 7, at: '2026-11-21T04:35:31Z' },
    ],
    [event('/tasks/exit', { container_id: 'c', id: 'c', exited_at: 't' }), { kind: 'exit', id: 'c', code: 0, at: 't' }],
    [event('/tasks/exit', { container_id: 'c', id: 'exec-1', exit_status: 1 }), { kind: 'other', id: 'c' }],
    [event('/tasks/oom', { container_id: 'c' }), { kind: 'oom', id: 'c' }],
    [event('/tasks/start', { container_id: 'c', pid: 1 }), { kind: 'other', id: 'c' }],
    [event('/tasks/exit', { container_id: 'c', id: 'c' }, 'other'), undefined],
    [event('/snapshot/prepare', { key: 'c' }), undefined],
    ['nonsense', undefined],
  ])('the event %s', (line, parsed) => expect(output.parseEvent(line, 'wherry')).toEqual(parsed))

  test('the words for people are those of the last line', () => {
    expect(output.lastWords('time="…" level=info msg="trying next host"\nctr: failed to resolve reference "x": unknown\n')).toBe('failed to resolve reference "x"')
    expect(output.lastWords('')).toBe('no reason was given')
  })
})

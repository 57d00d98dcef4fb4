import { expect, test } from 'vitest'
import type { Containers, OciSpec } from './containers.ts'
import { GrpcError } from './grpc.ts'
import type { ContainerSpec } from './runtime.ts'
import type { Tasks } from './tasks.ts'
import { runWithTerminal } from './terminals.ts'

const spec: ContainerSpec = {
  id: 'web-1-0',
  image: 'registry.test/web:1',
  env: [],
  hostname: 'web-1',
  cgroup: '/wherry/pod1/web-1-0',
  cpuShares: 102,
  mounts: [],
  privileged: false,
  logPath: '/var/log/web',
  labels: {},
  tty: true,
}
const around = { image: { digest: 'sha256:1', entrypoint: [] }, logUri: 'binary:///log', runcRoot: '/run/r', stdin: '/stdin/web/pipe' }
const made: OciSpec = { process: { args: ['sh'] }, linux: { cgroupsPath: '/default', resources: { cpu: { quota: 1 }, devices: [] }, maskedPaths: [] } }

async function run(fails: Partial<Tasks> = {}) {
  const steps: unknown[] = []
  const containers: Containers = {
    get: (id) => Promise.resolve({ id, spec: made, snapshotter: 'overlayfs', snapshotKey: id }),
    setSpec: (_, changed) => Promise.resolve(void steps.push(changed)),
    mounts: ({ snapshotKey }) => Promise.resolve([Buffer.from(snapshotKey)]),
  }
  const tasks = {
    create: (plan: object) => Promise.resolve(void steps.push(plan)),
    start: (id: object) => Promise.resolve(void steps.push(id)),
    ...fails,
  } as unknown as Tasks
  const make = (args: readonly string[]): Promise<void> => Promise.resolve(void steps.push(args.slice(0, 2)))
  await runWithTerminal(spec, around, { containers, tasks, make, signal: new AbortController().signal })
  return steps
}

test('it is created, completed, and started with its terminal, its pipe and its logger', async () => {
  expect(await run()).toEqual([
    ['containers', 'create'],
    { process: { args: ['sh'] }, linux: { cgroupsPath: '/wherry/pod1/web-1-0', resources: { cpu: { quota: 1, shares: 102 }, devices: [] }, maskedPaths: [] } },
    { container: 'web-1-0', mounts: [Buffer.from('web-1-0')], stdin: '/stdin/web/pipe', output: 'binary:///log', runcRoot: '/run/r' },
    { container: 'web-1-0' },
  ])
})

test("containerd's refusal is one of a container that could not be created, in its own words", async () => {
  const start = (): Promise<never> => Promise.reject(new GrpcError(2, 'exec: "/none": no such file or directory: unknown'))
  await expect(run({ start })).rejects.toMatchObject({ code: 'CONTAINER_CREATE', message: 'exec: "/none": no such file or directory' })
})

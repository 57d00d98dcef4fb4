import { expect, test } from 'vitest'
import { goArchitecture, readNodeFacts, readPressures } from './node-facts.ts'
import { nodeLabels, nodeStatus, type NodeStatusInput } from './node-status.ts'

const input: NodeStatusInput = {
  name: 'a',
  addresses: ['192.0.2.7'],
  facts: {
    cores: 2,
    memoryBytes: 4 * 1024 ** 3,
    diskBytes: 1024 ** 3,
    kernelVersion: '6.1.0',
    osImage: 'Debian',
    architecture: 'amd64',
    machineID: 'm',
    bootID: 'b',
    systemUUID: 's',
  },
  pressures: { memory: false, disk: false, pids: false },
  ready: { status: true, reason: 'KubeletReady', message: 'the node runs pods' },
  runtimeVersion: 'containerd://1.6.20',
  version: '0.1.0',
  now: Date.parse('2026-01-01T00:00:00Z'),
}

const condition = (status: ReturnType<typeof nodeStatus>, type: string) => status.conditions!.find((c) => c.type === type)!

test('addresses, amounts and versions', () => {
  const status = nodeStatus(input)
  expect(status.addresses).toEqual([
    { type: 'InternalIP', address: '192.0.2.7' },
    { type: 'Hostname', address: 'a' },
  ])
  expect(status.capacity).toEqual({ cpu: '2', memory: '4194304Ki', 'ephemeral-storage': '1048576Ki', pods: '110' })
  expect(status.allocatable).toEqual(status.capacity)
  expect(status.nodeInfo?.kubeletVersion).toBe('v1.32.0+wherry.0.1.0')
})

test('a condition keeps its transition time until its status changes', () => {
  const first = nodeStatus(input)
  const later = { ...input, now: input.now + 60_000, before: first }
  const second = nodeStatus({ ...later, pressures: { memory: true, disk: false, pids: false } })
  expect(condition(second, 'Ready')).toMatchObject({ lastTransitionTime: '2026-01-01T00:00:00Z', lastHeartbeatTime: '2026-01-01T00:01:00Z' })
  expect(condition(second, 'MemoryPressure')).toMatchObject({ status: 'True', lastTransitionTime: '2026-01-01T00:01:00Z' })
})

test('a node that is not ready says why', () => {
  const status = nodeStatus({ ...input, ready: { status: false, reason: 'NetworkNotReady', message: 'no pod range yet' } })
  expect(condition(status, 'Ready')).toMatchObject({ status: 'False', reason: 'NetworkNotReady', message: 'no pod range yet' })
})

test('labels name the host, its system and its architecture', () => {
  expect(nodeLabels('a', input.facts)).toEqual({ 'kubernetes.io/hostname': 'a', 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' })
  expect([goArchitecture('x64'), goArchitecture('arm64')]).toEqual(['amd64', 'arm64'])
})

test('this machine can be read', () => {
  const facts = readNodeFacts('/')
  expect(facts.cores).toBeGreaterThan(0)
  expect(facts.kernelVersion).toMatch(/^\d+\.\d+/)
  expect(facts.diskBytes).toBeGreaterThan(0)
  expect(Object.keys(readPressures('/'))).toEqual(['memory', 'disk', 'pids'])
})

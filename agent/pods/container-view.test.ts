import { expect, test } from 'vitest'
import { attemptLabels } from './attempts.ts'
import { createContainerView } from './container-view.ts'
import type { ContainerState, Runtime } from './runtime/runtime.ts'

/** A runtime whose listings end when the test says so. */
function slowRuntime() {
  const ends: ((states: readonly ContainerState[]) => void)[] = []
  const runtime = { list: () => new Promise<readonly ContainerState[]>((resolve) => ends.push(resolve)) } as unknown as Runtime
  return { runtime, ends }
}
const labels = attemptLabels({ uid: 'u', namespace: 'default', name: 'p', graceSeconds: 30 }, 'web', 0)
const container: ContainerState = { id: 'c', image: 'i', labels, phase: 'running', pid: 1 }

test('who asks while a listing runs waits for the next one, which all such share', async () => {
  const { runtime, ends } = slowRuntime()
  const view = createContainerView(runtime, new AbortController().signal)
  const first = view.of('u')
  const later = [view.of('u'), view.of('u'), view.pods()]
  expect(ends).toHaveLength(1)
  ends[0]!([])
  expect((await first).size).toBe(0)
  await Promise.resolve()
  expect(ends).toHaveLength(2)
  ends[1]!([container])
  expect(await Promise.all(later)).toEqual([
    new Map([['web', [expect.objectContaining({ attempt: 0, state: container })]]]),
    new Map([['web', [expect.objectContaining({ attempt: 0, state: container })]]]),
    [{ uid: 'u', namespace: 'default', name: 'p', graceSeconds: 30 }],
  ])
  expect(ends).toHaveLength(2)
})

test('a listing that failed does not keep the next one from being made', async () => {
  let calls = 0
  const runtime = { list: () => (++calls === 1 ? Promise.reject(new TypeError('down')) : Promise.resolve([container])) } as unknown as Runtime
  const view = createContainerView(runtime, new AbortController().signal)
  const [first, second] = [view.of('u'), view.of('u')]
  await expect(first).rejects.toThrow('down')
  expect((await second).has('web')).toBe(true)
})

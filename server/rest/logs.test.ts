import { describe, expect, test } from 'vitest'
import type { Pod } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import { checkStarted, containerOf, logOptions } from './logs.ts'

const metadata = { name: 'web', namespace: 'default', uid: 'u', resourceVersion: '1', creationTimestamp: '' }
const withContainers = (names: readonly string[], inits: readonly string[] = []): Pod =>
  ({
    metadata,
    spec: { containers: names.map((name) => ({ name })), initContainers: inits.map((name) => ({ name })) },
  }) as Pod
const withStatus = (state: object, lastState?: object): Pod =>
  ({ ...withContainers(['a']), status: { containerStatuses: [{ name: 'a', state, lastState }] } }) as Pod

const refusal = (message: string): StatusError => new StatusError('BadRequest', message)

describe('the container that is meant', () => {
  test('the only one, the named one, an init container', () => {
    expect(containerOf(withContainers(['a']), null)).toBe('a')
    expect(containerOf(withContainers(['a', 'b']), 'b')).toBe('b')
    expect(containerOf(withContainers(['a'], ['i']), 'i')).toBe('i')
  })

  test.each([
    [withContainers(['a', 'b']), null, 'a container name must be specified for pod web, choose one of: [a b]'],
    [
      withContainers(['a', 'b'], ['i']),
      null,
      'a container name must be specified for pod web, choose one of: [a b] or one of the init containers: [i]',
    ],
    [withContainers(['a']), 'z', 'container z is not valid for pod web'],
  ])('what cannot be meant', (pod, asked, message) => {
    expect(() => containerOf(pod, asked)).toThrow(refusal(message))
  })
})

describe('a container has a log once it ran', () => {
  test.each([
    [withStatus({ running: {} }), false],
    [withStatus({ terminated: { exitCode: 0 } }), false],
    [withStatus({ waiting: { reason: 'CrashLoopBackOff' } }, { terminated: { exitCode: 1 } }), false],
    [withStatus({ running: {} }, { terminated: { exitCode: 1 } }), true],
  ])('it did', (pod, previous) => {
    expect(() => checkStarted(pod, 'a', previous)).not.toThrow()
  })

  test.each([
    [withStatus({ waiting: { reason: 'ImagePullBackOff' } }), false, 'container "a" in pod "web" is waiting to start: ImagePullBackOff'],
    [withContainers(['a']), false, 'container "a" in pod "web" is waiting to start: ContainerCreating'],
    [withContainers(['a'], ['i']), false, 'container "a" in pod "web" is waiting to start: PodInitializing'],
    [withStatus({ running: {} }), true, 'previous terminated container "a" in pod "web" not found'],
  ])('it did not', (pod, previous, message) => {
    expect(() => checkStarted(pod, 'a', previous)).toThrow(refusal(message))
  })
})

describe('options', () => {
  const read = (query: string) => logOptions(new URLSearchParams(query), Date.parse('2030-01-01T00:10:00Z'))

  test('all of them', () => {
    expect(read('follow=true&previous=1&timestamps=&tailLines=0&limitBytes=10&sinceSeconds=60')).toEqual({
      follow: true,
      previous: true,
      timestamps: true,
      tailLines: 0,
      limitBytes: 10,
      sinceTime: '2030-01-01T00:09:00Z',
    })
    expect(read('')).toEqual({ follow: false, previous: false, timestamps: false })
  })

  test.each(['follow=maybe', 'tailLines=-1', 'tailLines=x', 'limitBytes=0', 'sinceTime=today', 'sinceSeconds=1&sinceTime=2030-01-01T00:00:00Z'])(
    '%s is refused',
    (query) => {
      expect(() => read(query)).toThrow(StatusError)
    },
  )
})

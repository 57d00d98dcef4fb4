import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../api/objects.ts'
import type { Change } from '../../store/store.ts'
import { eventOf } from './event.ts'

const pod = (revision: number, app: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'n', uid: 'u', resourceVersion: String(revision), creationTimestamp: '', labels: { app } },
})
const isWeb = (object: KubeObject): boolean => object.metadata.labels?.app === 'web'
const change = (type: Change['type'], object: KubeObject, previous?: KubeObject): Change => ({
  revision: 9,
  type,
  resource: 'pods',
  object,
  ...(previous && { previous }),
})

describe('an event for a watcher of app=web', () => {
  test.each([
    ['appears matching', change('ADDED', pod(9, 'web')), 'ADDED'],
    ['appears otherwise', change('ADDED', pod(9, 'db')), undefined],
    ['keeps matching', change('MODIFIED', pod(9, 'web'), pod(8, 'web')), 'MODIFIED'],
    ['begins to match', change('MODIFIED', pod(9, 'web'), pod(8, 'db')), 'ADDED'],
    ['ceases to match', change('MODIFIED', pod(9, 'db'), pod(8, 'web')), 'DELETED'],
    ['never matches', change('MODIFIED', pod(9, 'db'), pod(8, 'db')), undefined],
    ['is deleted matching', change('DELETED', pod(9, 'web'), pod(8, 'web')), 'DELETED'],
    ['is deleted otherwise', change('DELETED', pod(9, 'db'), pod(8, 'db')), undefined],
  ])('an object %s', (_, given, type) => {
    expect(eventOf(given, isWeb)?.type).toBe(type)
  })

  test('an object that ceases to match is told of in its last matching state, at the revision of the change', () => {
    expect(eventOf(change('MODIFIED', pod(9, 'db'), pod(8, 'web')), isWeb)?.object).toEqual(pod(9, 'web'))
  })
})

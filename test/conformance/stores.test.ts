/** The kit's own promise to every test that asks it for a store: that of the runner's project, empty, and nobody else's. */
import { expect, test } from 'vitest'
import { configMap, namespace } from '../kit/objects.ts'
import { openInside } from '../kit/registry.ts'

test('the store is that of the project, and empty each time', async ({ task }) => {
  for (const name of ['first', 'second']) {
    const inside = await openInside()
    expect(inside.store.history.startsWith('etcd-')).toBe(task.file.projectName === 'etcd')
    await inside.make('configmaps', configMap({ metadata: { name } }))
    expect(inside.store.list('configmaps').map((o) => o.metadata.name)).toEqual([name])
    await inside.close()
  }
})

test('two that are open at once know nothing of each other', async () => {
  const [one, other] = [await openInside(), await openInside()]
  await one.make('namespaces', namespace({ metadata: { name: 'mine' } }))
  expect(one.get('namespaces', 'mine')).toBeDefined()
  await other.store.fresh()
  expect(other.get('namespaces', 'mine')).toBeUndefined()
  await Promise.all([one.close(), other.close()])
})

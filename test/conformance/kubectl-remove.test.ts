/** How a stock kubectl takes things away: cascades, finalizers, grace, selectors, and what cannot be changed instead. */
import { describe, expect, test } from 'vitest'
import { kubectlFile, useKubectl } from '../kit/kubectl.ts'

const file = ['-f', '-']

describe.skipIf(!kubectlFile)('kubectl delete (skipped where no kubectl since 1.27 is on PATH)', () => {
  const stage = useKubectl({ commands: 45, controllers: true })
  const { ok, fails } = stage
  /** Waits until there are so many objects of a kind. */
  const until = async (resource: 'pods' | 'replicasets.apps', count: number): Promise<void> => {
    if (stage.trial.store.list(resource, 'default').length === count) return
    await new Promise<void>((resolve) => {
      const leave = stage.trial.store.watch(stage.trial.store.revision, () => {
        if (stage.trial.store.list(resource, 'default').length !== count) return
        queueMicrotask(() => leave())
        resolve()
      })
    })
  }

  test('--cascade=orphan leaves the dependents, without their owner', async () => {
    await ok(['create', 'deployment', 'web', '--image=web:1', '--replicas=2'])
    await until('pods', 2)
    expect(await ok(['delete', 'deploy', 'web', '--cascade=orphan'])).toContain('deployment.apps "web" deleted')
    expect(await ok(['get', 'rs', '-o', 'jsonpath={.items[*].metadata.ownerReferences}{.items[*].status.replicas}'])).toBe('2')
    expect((await ok(['get', 'pods', '-o', 'name'])).split('\n')).toHaveLength(2)
  })

  test('--cascade=foreground returns when the dependents are gone too', async () => {
    await ok(['delete', 'rs', '--all', '--cascade=foreground'])
    expect(await ok(['get', 'rs,pods'])).toContain('No resources found')
  })

  test('--cascade=background, the default, returns at once; the dependents follow', async () => {
    await ok(['create', 'deployment', 'web', '--image=web:1', '--replicas=2'])
    await until('pods', 2)
    await ok(['delete', 'deploy', 'web'])
    await until('pods', 0)
    await until('replicasets.apps', 0)
  })

  test('a finalizer holds an object, takes no company, and lets it go', async () => {
    await ok(['create', ...file], 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [a.example/x]}')
    await ok(['delete', 'cm', 'held', '--wait=false'])
    expect(await ok(['get', 'cm', 'held', '-o', 'jsonpath={.metadata.deletionTimestamp}'])).toMatch(/Z$/)
    expect(await fails(['patch', 'cm', 'held', '--type=json', '-p', '[{"op":"add","path":"/metadata/finalizers/-","value":"b.example/y"}]'])).toContain(
      'no new finalizers can be added if the object is being deleted',
    )
    await ok(['patch', 'cm', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
    expect(await fails(['get', 'cm', 'held'])).toContain('NotFound')
    expect(
      await fails(['create', ...file], 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: both, finalizers: [orphan, foregroundDeletion]}'),
    ).toContain('cannot be both set')
  })

  test('by selector, by field, by file, by kind and all; what is not there is an error unless told', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await ok(['create', 'cm', name])
    await ok(['label', 'cm', 'a', 'b', 'app=x'])
    expect(await ok(['delete', 'cm', '-l', 'app=x'])).toBe('configmap "a" deleted\nconfigmap "b" deleted')
    expect(await ok(['delete', 'cm', '--field-selector=metadata.name=c'])).toBe('configmap "c" deleted')
    expect(await ok(['delete', 'cm/d', 'cm/none', '--ignore-not-found'])).toBe('configmap "d" deleted')
    expect(await fails(['delete', 'cm', 'none'])).toBe('Error from server (NotFound): configmaps "none" not found')
    expect(await ok(['delete', 'cm', '--all'])).toContain('No resources found')
  })

  test('a pod goes at once that runs nowhere, after its grace one that does, and by force', async () => {
    await ok(['run', 'p', '--image=p:1'])
    await ok(['delete', 'pod', 'p', '--timeout=5s'])
    await ok(['run', 'p', '--image=p:1'])
    await stage.trial.api.create('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } })
    await stage.trial.api.create('/api/v1/namespaces/default/pods/p/binding', { target: { kind: 'Node', name: 'n1' } })
    await ok(['delete', 'pod', 'p', '--wait=false', '--grace-period=7'])
    expect(await ok(['get', 'pod', 'p', '-o', 'jsonpath={.metadata.deletionGracePeriodSeconds}'])).toBe('7')
    expect(await ok(['get', 'pod', 'p'])).toContain('Terminating')
    expect(await ok(['delete', 'pod', 'p', '--grace-period=0', '--force'])).toContain('pod "p" force deleted')
  })

  test('a namespace takes its content with it, and what is lasting stays', async () => {
    await ok(['create', 'ns', 'gone'])
    await ok(['create', 'cm', 'a', '-n', 'gone'])
    await ok(['delete', 'ns', 'gone', '--timeout=10s'])
    expect(await fails(['get', 'cm', 'a', '-n', 'gone'])).toContain('NotFound')
    expect(await fails(['create', 'cm', 'a', '-n', 'gone'])).toContain('namespaces "gone" not found')
    expect(await fails(['delete', 'ns', 'default'])).toContain('this namespace may not be deleted')
  })

  test('delete --raw, and replace --force, which deletes first', async () => {
    const map = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: r}\ndata: {a: "1"}'
    await ok(['create', ...file], map)
    const uid = (): Promise<string> => ok(['get', 'cm', 'r', '-o', 'jsonpath={.metadata.uid}'])
    const before = await uid()
    expect(await ok(['replace', '--force', ...file], map)).toContain('configmap/r replaced')
    expect(await uid()).not.toBe(before)
    expect(JSON.parse(await ok(['delete', '--raw', '/api/v1/namespaces/default/configmaps/r']))).toMatchObject({ status: 'Success', details: { name: 'r' } })
  })

  test('generateName makes a name, and another the next time', async () => {
    const map = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: made-}'
    const names = [await ok(['create', ...file], map), await ok(['create', ...file], map)]
    expect(names[0]).toMatch(/^configmap\/made-[a-z0-9]{5} created$/)
    expect(names[0]).not.toBe(names[1])
  })

  test.each([
    ['deploy fixed', '{"spec":{"selector":{"matchLabels":{"x":"y"}}}}', 'spec.selector: Invalid value'],
    ['svc fixed', '{"spec":{"clusterIP":"10.96.200.200"}}', 'spec.clusterIPs[0]: Invalid value'],
    ['cm fixed', '{"data":{"a":"2"}}', 'data: Forbidden: field is immutable when `immutable` is set'],
    ['cm fixed', '{"immutable":false}', 'immutable: Forbidden: field is immutable when `immutable` is set'],
    ['secret fixed', '{"type":"other"}', 'type: Invalid value: "other": field is immutable'],
    ['pod fixed', '{"spec":{"restartPolicy":"Never"}}', 'spec.restartPolicy: Forbidden'],
    ['pod fixed', '{"metadata":{"name":"other"}}', 'the name of the object (other) does not match the name on the URL (fixed)'],
    ['pod fixed', '{"metadata":{"creationTimestamp":"2020-01-01T00:00:00Z"}}', 'metadata.creationTimestamp: Invalid value'],
    ['pod fixed', '{"metadata":{"uid":"other"}}', 'Precondition failed: UID in precondition: other'],
    ['pod fixed', '{"metadata":{"resourceVersion":"1"}}', 'the object has been modified'],
  ])('of %s nobody makes %s', async (what, patch, told) => {
    const [kind = '', name = ''] = what.split(' ')
    const objects: Readonly<Record<string, string>> = {
      deploy: 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: fixed}\nspec: {replicas: 0, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}}',
      svc: 'apiVersion: v1\nkind: Service\nmetadata: {name: fixed}\nspec: {clusterIP: 10.96.100.100, ports: [{port: 80}]}',
      cm: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fixed}\nimmutable: true\ndata: {a: "1"}',
      secret: 'apiVersion: v1\nkind: Secret\nmetadata: {name: fixed}\nstringData: {a: "1"}',
      pod: 'apiVersion: v1\nkind: Pod\nmetadata: {name: fixed}\nspec: {containers: [{name: a, image: a}]}',
    }
    await ok(['apply', ...file], objects[kind])
    expect(await fails(['patch', kind, name, '--type=merge', '-p', patch])).toContain(told)
  })
})

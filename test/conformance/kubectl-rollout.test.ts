/** The days of a deployment with a stock kubectl: changes, history, the way back, editors, waiting, pruning. */
import { beforeAll, describe, expect, test } from 'vitest'
import { kubectlFile, useKubectl } from '../kit/kubectl.ts'

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1", ports: [{containerPort: 8080}]}]}}
`

describe.skipIf(!kubectlFile)('kubectl and a deployment (skipped where no kubectl since 1.27 is on PATH)', () => {
  const stage = useKubectl({ commands: 40, controllers: true, editor: 'sed -i s/8080/8081/' })
  const { ok, fails } = stage
  beforeAll(async () => {
    await ok(['apply', '-f', '-'], web)
    await ok(['expose', 'deploy', 'web', '--port=80', '--target-port=8080'])
  })
  const image = (): Promise<string> => ok('get deploy web -o jsonpath={.spec.template.spec.containers[0].image}')
  /** The controllers have seen everything that was wished for so far. */
  const observed = async (): Promise<void> => {
    const generation = await ok('get deploy web -o jsonpath={.metadata.generation}')
    await ok(`wait deploy/web --for=jsonpath={.status.observedGeneration}=${generation} --timeout=10s`)
  }

  test('set image makes a revision; history tells of it, undo goes back', async () => {
    await observed()
    expect(await ok('set image deploy/web web=web:2')).toBe('deployment.apps/web image updated')
    await observed()
    const history = await ok('rollout history deploy web')
    expect(history.split('\n').map((line) => line.split(' ')[0])).toEqual(expect.arrayContaining(['1', '2']))
    expect(await ok('rollout history deploy web --revision=2')).toMatch(/Image:\s+web:2/)
    expect(await ok('rollout undo deploy web')).toBe('deployment.apps/web rolled back')
    expect(await image()).toBe('web:1')
    await observed()
    expect(await ok('rollout undo deploy web --to-revision=2')).toBe('deployment.apps/web rolled back')
    expect(await image()).toBe('web:2')
  })

  test('pause, resume and restart', async () => {
    expect(await ok('rollout pause deploy web')).toBe('deployment.apps/web paused')
    expect(await fails('rollout pause deploy web')).toContain('already paused')
    expect(await fails('rollout restart deploy web')).toContain("can't restart paused deployment")
    expect(await ok('rollout resume deploy web')).toBe('deployment.apps/web resumed')
    expect(await ok('rollout restart deploy web')).toBe('deployment.apps/web restarted')
    expect(await ok('get deploy web -o jsonpath={.spec.template.metadata.annotations}')).toContain('kubectl.kubernetes.io/restartedAt')
  })

  test('set env, resources, selector and serviceaccount', async () => {
    expect(await ok('set env deploy/web A=1 B=2')).toBe('deployment.apps/web env updated')
    expect(await ok('set env deploy/web --list')).toContain('A=1\nB=2')
    expect(await ok('set env deploy/web A-')).toBe('deployment.apps/web env updated')
    expect(await ok('get deploy web -o jsonpath={.spec.template.spec.containers[0].env}')).toBe('[{"name":"B","value":"2"}]')
    expect(await ok('set resources deploy/web --requests=cpu=100m --limits=cpu=1')).toContain('resource requirements updated')
    expect(await ok('set serviceaccount deploy/web default')).toContain('serviceaccount updated')
    expect(await ok('set selector svc web app=other')).toContain('selector updated')
    expect(await ok('get svc web -o jsonpath={.spec.selector.app}')).toBe('other')
  })

  test('edit sends what the editor left', async () => {
    expect(await ok('edit svc web')).toBe('service/web edited')
    expect(await ok('get svc web -o jsonpath={.spec.ports[0].targetPort}')).toBe('8081')
    expect(await ok('edit deploy web --show-managed-fields')).toBe('deployment.apps/web edited')
    expect(await ok('get deploy web -o jsonpath={.spec.template.spec.containers[0].ports[*].containerPort}')).toContain('8081')
    expect(await ok('edit svc web')).toContain('Edit cancelled, no changes made')
  })

  test('wait for fields, for creation and for the end', async () => {
    expect(await ok('wait deploy/web --for=jsonpath={.spec.replicas}=2 --timeout=5s')).toContain('condition met')
    await ok('create cm gone')
    await ok('delete cm gone --wait=false')
    await ok('wait cm/gone --for=delete --timeout=5s')
    expect(await fails('wait deploy/web --for=jsonpath={.spec.replicas}=99 --timeout=1s')).toContain('timed out')
  })

  test('events tell of it, by object, by field and in order of time', async () => {
    expect(await ok('events --for deployment/web')).toContain('ScalingReplicaSet')
    expect(await ok('get events --field-selector=reason=ScalingReplicaSet,involvedObject.kind=Deployment -o name')).toMatch(/^event\/web\./)
    expect(await ok('get events --sort-by=.lastTimestamp')).toContain('LAST SEEN')
    expect(await ok('describe deploy web')).toContain('ScalingReplicaSet')
  })

  test('apply --prune takes away what the manifests name no longer', async () => {
    const map = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, labels: {set: x}}\n`
    await ok('apply -f -', map('old'))
    expect(await ok('apply -f - -l set=x --prune --prune-allowlist=core/v1/ConfigMap', map('new'))).toContain('configmap/old pruned')
    expect(await ok('get cm -l set=x -o name')).toBe('configmap/new')
  })

  test('a kind that there is not is said in words', async () => {
    const boat = 'apiVersion: none.example/v1\nkind: Boat\nmetadata: {name: a}\n'
    expect(await fails('apply -f -', boat)).toContain('no matches for kind "Boat" in version "none.example/v1"')
    expect(await fails('get boats.none.example')).toContain('the server doesn\'t have a resource type "boats"')
  })
})

/** Server-side apply as the users of a stock kubectl do it. */
import { describe, expect, test } from 'vitest'
import { kubectlFile, useKubectl } from '../kit/kubectl.ts'

interface Shape {
  readonly replicas?: number
  readonly image?: string
  readonly env?: string
  readonly more?: string
}
const web = ({ replicas = 2, image = 'web:1', env = '[{name: A, value: "1"}, {name: B, value: "2"}]', more = '' }: Shape = {}): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  ${replicas < 0 ? '' : `replicas: ${replicas}`}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "${image}", env: ${env}, ports: [{containerPort: 80}], resources: {requests: {cpu: 100m}}}
      ${more}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`
const file = ['-f', '-']
const sidecar = '- {name: side, image: "side:1"}'

describe.skipIf(!kubectlFile)('kubectl apply --server-side (skipped where no kubectl since 1.27 is on PATH)', () => {
  const stage = useKubectl({ commands: 28 })
  const { ok, fails } = stage
  const apply = ['apply', '--server-side', ...file]
  const field = (name: string, path: string): Promise<string> => ok(['get', ...name.split(' '), '--show-managed-fields', '-o', `jsonpath=${path}`])
  const managers = (name: string): Promise<string> => field(name, '{range .metadata.managedFields[*]}{.operation} {.manager} {.subresource},{end}')

  test('creates, and again changes nothing', async () => {
    expect(await ok(apply, web())).toBe('deployment.apps/web serverside-applied\nservice/web serverside-applied')
    const version = await field('deploy web', '{.metadata.resourceVersion}')
    expect(await ok(apply, web())).toBe('deployment.apps/web serverside-applied\nservice/web serverside-applied')
    expect(await field('deploy web', '{.metadata.resourceVersion}')).toBe(version)
    expect(await managers('deploy web')).toBe('Apply kubectl ,')
  })

  test('managed fields are shown when asked for', async () => {
    expect(await ok(['get', 'deploy', 'web', '-o', 'yaml', '--show-managed-fields'])).toContain('k:{"containerPort":80,"protocol":"TCP"}:')
    expect(await ok(['get', 'deploy', 'web', '-o', 'yaml'])).not.toContain('managedFields')
    expect(await ok(['get', 'deploy', 'web', '-o', 'json', '--show-managed-fields'])).toContain('"f:replicas": {}')
  })

  test('what the manifest names no longer goes', async () => {
    await ok(apply, web({ env: '[{name: B, value: "3"}]' }))
    expect(await field('deploy web', '{.spec.template.spec.containers[0].env}')).toBe('[{"name":"B","value":"3"}]')
    await ok(apply, web({ more: sidecar }))
    expect(await field('deploy web', '{.spec.template.spec.containers[*].name}')).toBe('web side')
    await ok(apply, web())
    expect(await field('deploy web', '{.spec.template.spec.containers[*].name}')).toBe('web')
  })

  test('a scaled deployment is a conflict; kubectl says which field, whose, and what to do', async () => {
    await ok(['scale', 'deploy', 'web', '--replicas=5'])
    const text = await fails(apply, web())
    expect(text).toContain('Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas')
    expect(text).toContain('--force-conflicts')
    expect(text).toContain('service/web serverside-applied')
    await ok(apply, web({ replicas: -1 }))
    expect(await field('deploy web', '{.spec.replicas}')).toBe('5')
    await ok([...apply, '--force-conflicts'], web())
    expect(await field('deploy web', '{.spec.replicas}')).toBe('2')
    expect(await managers('deploy web')).toBe('Apply kubectl ,')
  })

  test('two managers share what they agree on', async () => {
    await ok([...apply, '--field-manager=team-b'], web())
    expect(await managers('deploy web')).toBe('Apply kubectl ,Apply team-b ,')
    expect(await fails([...apply, '--field-manager=team-b'], web({ image: 'web:2' }))).toContain(
      'conflict with "kubectl": .spec.template.spec.containers[name="web"].image',
    )
    await ok(apply, web({ env: '[]' }))
    expect(await field('deploy web', '{.spec.template.spec.containers[0].env[*].name}')).toBe('A B')
  })

  test('--dry-run=server and diff --server-side tell without doing', async () => {
    const dry = await ok([...apply, '--force-conflicts', '--dry-run=server'], web({ image: 'web:9' }))
    expect(dry).toContain('deployment.apps/web serverside-applied (server dry run)')
    const diff = await fails(['diff', '--server-side', '--force-conflicts', ...file], web({ image: 'web:9' }))
    expect(diff).toMatch(/-.*image: web:1[\s\S]*\+.*image: web:9/)
    expect(await field('deploy web', '{.spec.template.spec.containers[0].image}')).toBe('web:1')
    await ok(['diff', '--server-side', ...file], web())
  })

  test('unknown and doubled fields are refused', async () => {
    expect(await fails(apply, web().replace('replicas:', 'replicass:'))).toContain('unknown field "spec.replicass"')
    expect(await fails([...apply, '--validate=false'], web().replace('replicas:', 'replicass:'))).toContain(
      '.spec.replicass: field not declared in schema',
    )
    expect(await fails(apply, web({ env: '[{name: A}, {name: A}]' }))).toContain('duplicate entries for key {"name":"A"}')
  })

  test('who applied on the client moves over, and back', async () => {
    const map = (data: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: moved}\ndata: ${data}`
    await ok(['apply', ...file], map('{a: "1", b: "1"}'))
    expect(await managers('cm moved')).toBe('Update kubectl-client-side-apply ,')
    await ok(apply, map('{a: "2", b: "1"}'))
    // kubectl keeps its note of the last client-side apply under a name of its own.
    expect(await managers('cm moved')).toBe('Apply kubectl ,Apply kubectl-last-applied ,')
    await ok(apply, map('{a: "2"}'))
    expect(await field('cm moved', '{.data}')).toBe('{"a":"2"}')
    await ok(['apply', ...file], map('{c: "3"}'))
    expect(await field('cm moved', '{.data}')).toBe('{"c":"3"}')
  })

  test('each command is a manager of its own name', async () => {
    await ok(['create', 'cm', 'named', '--from-literal=a=1'])
    await ok(['label', 'cm', 'named', 'x=1'])
    await ok(['annotate', 'cm', 'named', 'y=1', '--field-manager=mine'])
    await ok(['patch', 'cm', 'named', '-p', '{"data":{"z":"1"}}'])
    const names = (await field('cm named', '{.metadata.managedFields[*].manager}')).split(' ').toSorted()
    expect(names).toEqual(['kubectl-create', 'kubectl-label', 'kubectl-patch', 'mine'])
  })

  test('kubectl apply edit-last-applied, set-last-applied and view-last-applied', async () => {
    const map = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: moved}\ndata: {c: "3"}'
    expect(await ok(['apply', 'view-last-applied', 'cm', 'moved'])).toContain('c: "3"')
    expect(await ok(['apply', 'set-last-applied', ...file], map)).toContain('configmap/moved')
  })
})

/** The writing verbs of a stock kubectl: what each does, tries and refuses. */
import { beforeAll, describe, expect, test } from 'vitest'
import { kubectlFile, useKubectl } from '../kit/kubectl.ts'

const file = ['-f', '-']
const map = (name: string, rest = 'data: {a: "1"}'): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, labels: {app: x}}\n${rest}\n`

describe.skipIf(!kubectlFile)('kubectl writes (skipped where no kubectl since 1.27 is on PATH)', () => {
  const stage = useKubectl({ commands: 27 })
  const { ok, fails } = stage
  beforeAll(async () => {
    await ok(['create', 'deployment', 'web', '--image=web:1', '--replicas=2', '--port=80'])
    await ok(['expose', 'deployment', 'web', '--port=80'])
  })
  const words = (line: string): readonly string[] => line.split(' ')

  test.each([
    ['create ns dry', 'namespace/dry created'],
    ['create cm dry --from-literal=a=1', 'configmap/dry created'],
    ['create secret generic dry --from-literal=a=1', 'secret/dry created'],
    ['create sa dry', 'serviceaccount/dry created'],
    ['create service clusterip dry --tcp=80:80', 'service/dry created'],
    ['create deployment dry --image=x', 'deployment.apps/dry created'],
    ['run dry --image=x', 'pod/dry created'],
    ['expose deploy web --name=dry --port=80', 'service/dry exposed'],
    ['label deploy web dry=1', 'deployment.apps/web labeled'],
    ['annotate deploy web dry=1', 'deployment.apps/web annotate'],
    ['scale deploy web --replicas=9', 'deployment.apps/web scaled'],
    ['set image deploy/web web=web:9', 'deployment.apps/web image updated'],
    ['set env deploy/web A=1', 'deployment.apps/web env updated'],
    ['set resources deploy/web --requests=cpu=1', 'deployment.apps/web resource requirements updated'],
    ['patch deploy web -p {"spec":{"replicas":9}}', 'deployment.apps/web patched'],
    ['delete deploy web', 'deployment.apps "web" deleted'],
    ['delete svc --all', 'service "web" deleted'],
  ])('%s --dry-run=server says what it would do, and does not', async (line, told) => {
    const { revision } = stage.trial.store
    const text = await ok([...words(line), '--dry-run=server'])
    expect(text).toContain(told)
    // Of all commands `patch` alone does not say so.
    if (!line.startsWith('patch')) expect(text).toMatch(/\(server dry run\)$/)
    expect(stage.trial.store.revision).toBe(revision)
  })

  test('apply, replace and create of files, dry', async () => {
    const { revision } = stage.trial.store
    expect(await ok(['apply', '--dry-run=server', ...file], map('c'))).toBe('configmap/c created (server dry run)')
    expect(await ok(['create', '--dry-run=server', ...file], map('c'))).toBe('configmap/c created (server dry run)')
    expect(await ok(['create', '--dry-run=server', '-o', 'yaml', ...file], map('c'))).toMatch(/uid: /)
    expect(await fails(['replace', '--dry-run=server', ...file], map('c'))).toContain('"c" not found')
    expect(stage.trial.store.revision).toBe(revision)
  })

  test('--validate is strict unless told', async () => {
    const odd = map('odd', 'datta: {a: "1"}')
    const nested = 'apiVersion: v1\nkind: Pod\nmetadata: {name: odd}\nspec: {containers: [{name: a, image: a, imagee: b}]}'
    expect(await fails(['create', ...file], odd)).toContain('strict decoding error: unknown field "datta"')
    expect(await fails(['create', '--validate=strict', ...file], nested)).toContain('unknown field "spec.containers[0].imagee"')
    expect(await ok(['create', '--validate=warn', ...file], odd)).toBe('configmap/odd created\nWarning: unknown field "datta"')
    expect(await ok(['apply', '--validate=ignore', ...file], odd)).not.toContain('unknown field')
    expect(await fails(['create', '--validate=warn', ...file], map('Odd'))).toContain('metadata.name: Invalid value: "Odd"')
  })
})

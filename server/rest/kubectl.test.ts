import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import { resourceKinds, reviewKinds } from '../../api/resources.ts'
import { kubectlFile, useKubectl } from '../../test/kit/kubectl.ts'

const manifest = (image: string, targetPort: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "${image}", ports: [{containerPort: 80}], resources: {requests: {cpu: 100m, memory: 10Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: ${targetPort}}]}
`

describe.skipIf(!kubectlFile)('stock kubectl (skipped where no kubectl since 1.27 is on PATH)', () => {
  const stage = useKubectl({ commands: 40 })
  const { ok, fails } = stage
  const words = (text: string): readonly string[] => text.split(/\s+/)

  test('version and api-resources', async () => {
    expect(await ok(['version'])).toContain('v1.32.0+wherry-0.1.0')
    const names = (await ok(['api-resources', '--no-headers'])).split('\n').map((line) => words(line)[0])
    expect(new Set(names)).toEqual(new Set([...resourceKinds, ...reviewKinds].map((k) => k.plural)))
  })

  test('apply creates, leaves, tries and changes', async () => {
    expect(await ok(['apply', '-f', '-'], manifest('web:1', 8080))).toBe('deployment.apps/web created\nservice/web created')
    expect(await ok(['apply', '-f', '-'], manifest('web:1', 8080))).toBe('deployment.apps/web unchanged\nservice/web unchanged')
    const tried = await ok(['apply', '--dry-run=server', '-f', '-'], manifest('web:2', 9090))
    expect(tried).toBe('deployment.apps/web configured (server dry run)\nservice/web configured (server dry run)')
    expect(await ok(['get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[*].image}'])).toBe('web:1')
    expect(await ok(['apply', '-f', '-'], manifest('web:2', 9090))).toBe('deployment.apps/web configured\nservice/web configured')
    expect(await ok(['get', 'svc', 'web', '-o', 'jsonpath={.spec.ports[*].targetPort}'])).toBe('9090')
    expect(await fails(['apply', '-f', '-'], manifest('web:2', 9090).replace('replicas', 'replicass'))).toMatch(/unknown field "?.*replicass/)
  })

  test('scale, set image, label, annotate and three kinds of patch', async () => {
    await ok(['scale', 'deployment', 'web', '--replicas=5'])
    await ok(['set', 'image', 'deployment/web', 'web=web:3'])
    await ok(['label', 'deployment', 'web', 'tier=front'])
    await ok(['annotate', 'service', 'web', 'note=yes'])
    const path_ = '{.spec.replicas} {.spec.template.spec.containers[0].image} {.metadata.labels.tier}'
    expect(await ok(['get', 'deploy', 'web', '-o', `jsonpath=${path_}`])).toBe('5 web:3 front')
    await ok(['patch', 'svc', 'web', '-p', '{"spec":{"ports":[{"port":80,"targetPort":91}]}}'])
    await ok(['patch', 'svc', 'web', '--type=merge', '-p', '{"metadata":{"labels":{"a":"1"}}}'])
    await ok(['patch', 'svc', 'web', '--type=json', '-p', '[{"op":"add","path":"/metadata/labels/b","value":"2"}]'])
    const service = '{.spec.ports[0].targetPort} {.metadata.labels.a} {.metadata.labels.b} {.metadata.annotations.note}'
    expect(await ok(['get', 'svc', 'web', '-o', `jsonpath=${service}`])).toBe('91 1 2 yes')
  })

  test('get in its forms, describe and explain', async () => {
    const [head, row] = (await ok(['get', 'deploy', '-o', 'wide'])).split('\n')
    expect(words(head!)).toEqual(['NAME', 'READY', 'UP-TO-DATE', 'AVAILABLE', 'AGE', 'CONTAINERS', 'IMAGES', 'SELECTOR'])
    expect(words(row!).slice(0, 4)).toEqual(['web', '0/5', '0', '0'])
    expect(await ok(['get', 'all', '-A'])).toContain('service/web')
    expect(JSON.parse(await ok(['get', 'deploy', 'web', '-o', 'json']))).toMatchObject({ kind: 'Deployment' })
    expect(await ok(['get', 'deploy', 'web', '-o', 'yaml'])).toContain('kind: Deployment')
    expect(await ok(['describe', 'svc', 'web'])).toMatch(/TargetPort: +91/)
    expect(await ok(['describe', 'deploy', 'web'])).toContain('5 desired')
    expect(await ok(['explain', 'pod.spec.containers'])).toContain('List of containers belonging to the pod')
    expect(await fails(['get', 'pod', 'none'])).toBe('Error from server (NotFound): pods "none" not found')
  })

  test('create deployment, service, configmap, secret and namespace', async () => {
    expect(await ok(['create', 'deployment', 'made', '--image=made:1', '--replicas=0'])).toBe('deployment.apps/made created')
    expect(await ok(['create', 'service', 'nodeport', 'made', '--tcp=80:8080'])).toBe('service/made created')
    expect(await ok(['create', 'configmap', 'made', '--from-literal=a=1'])).toBe('configmap/made created')
    expect(await ok(['create', 'secret', 'generic', 'made', '--from-literal=a=hello'])).toBe('secret/made created')
    expect(await ok(['create', 'namespace', 'made'])).toBe('namespace/made created')
    expect(await ok(['get', 'deploy', 'made', '-o', 'jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}'])).toBe('0 made:1')
    expect(await ok(['get', 'secret', 'made', '-o', 'jsonpath={.data.a}'])).toBe('aGVsbG8=')
    expect(await fails(['create', 'configmap', 'made'])).toContain('configmaps "made" already exists')
  })

  test('wait and rollout see conditions and status', async () => {
    const status = { readyReplicas: 5, replicas: 5, updatedReplicas: 5, availableReplicas: 5, conditions: [{ type: 'Available', status: 'True' }] }
    const { metadata } = await stage.trial.api.get('/apis/apps/v1/namespaces/default/deployments/web')
    const observed = { ...status, observedGeneration: metadata.generation }
    await stage.trial.api.patch('/apis/apps/v1/namespaces/default/deployments/web/status', 'merge', { status: observed })
    expect(await ok(['wait', '--for=condition=Available', 'deploy/web', '--timeout=5s'])).toContain('condition met')
    expect(await ok(['rollout', 'status', 'deploy/web', '--timeout=5s'])).toContain('successfully rolled out')
  })

  test('logs say what is missing', async () => {
    const pod = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"a:1"}]}}'
    await writeFile(path.join(stage.home, 'pod.json'), pod)
    await ok(['create', '-f', path.join(stage.home, 'pod.json')])
    expect(await fails(['logs', 'p'])).toContain('pod p does not have a host assigned')
    await stage.trial.api.create('/api/v1/namespaces/default/pods/p/binding', { target: { kind: 'Node', name: 'n1' } })
    expect(await fails(['logs', 'p'])).toContain('container "a" in pod "p" is waiting to start: ContainerCreating')
    expect(await fails(['logs', 'p', '-c', 'zz'])).toContain('container zz is not valid for pod p')
  })

  test('get -w prints changes', async () => {
    const watching = execa(kubectlFile!, ['--server', stage.trial.api.url, 'get', 'cm', '-w', '--no-headers'], {
      env: { HOME: stage.home, KUBECONFIG: '/dev/null' },
      reject: false,
      timeout: 20_000,
    })
    const lines: string[] = []
    for await (const line of watching) {
      lines.push(words(line)[0]!)
      if (line.startsWith('made')) await ok(['create', 'configmap', 'watched', '--from-literal=a=1'])
      if (line.startsWith('watched')) watching.kill()
    }
    await watching
    expect(lines).toEqual(['made', 'watched'])
  })

  test('delete', async () => {
    expect(await ok(['delete', '-f', '-'], manifest('web:2', 9090))).toMatch(/deployment.apps "web" deleted.*\nservice "web" deleted/)
    expect(await ok(['delete', 'cm', '--all'])).toContain('configmap "made" deleted')
    expect(await ok(['get', 'cm'])).toContain('No resources found')
  })
})

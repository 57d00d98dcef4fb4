/** What a stock kubectl shows: kinds, documentation, objects in all forms, lists in pieces, differences. */
import { beforeAll, describe, expect, test } from 'vitest'
import { reviewKinds, servedKinds } from '../../api/resources.ts'
import { usageGroup } from '../../server/rest/discovery.ts'
import { kubectlFile, useKubectl } from '../kit/kubectl.ts'

const file = ['-f', '-']
const web = (image: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "${image}"}]}}
`

describe.skipIf(!kubectlFile)('kubectl reads (skipped where no kubectl since 1.27 is on PATH)', () => {
  const stage = useKubectl({ commands: 90 })
  const { ok, fails } = stage
  beforeAll(async () => {
    await ok(['apply', ...file], web('web:1'))
    await ok(['expose', 'deployment', 'web', '--port=80'])
    for (const name of ['a', 'b', 'c', 'd', 'e']) await ok(['create', 'cm', name, '--from-literal=k=v'])
  })

  describe('explain', () => {
    test.each(servedKinds.map((k) => [k.group ? `${k.plural} --api-version=${k.group}/${k.version}` : k.plural, k] as const))('%s', async (what, k) => {
      const text = await ok(`explain ${what}`)
      expect(text).toContain(`KIND:       ${k.kind}`)
      expect(text).toMatch(/metadata\t<ObjectMeta>/)
    })

    test.each([
      ['deployment.spec.strategy.type', ['FIELD: type <string>', '"Recreate"']],
      ['pod.spec.containers.ports', ['FIELD: ports <[]ContainerPort>', 'containerPort\t<integer> -required-']],
      ['pod.spec.containers.resources.limits', ['FIELD: limits <map[string]Quantity>']],
      ['deploy.spec.strategy.rollingUpdate.maxSurge', ['FIELD: maxSurge <IntOrString>']],
      ['pod.metadata.creationTimestamp', ['FIELD: creationTimestamp <string>', 'CreationTimestamp is a timestamp']],
      ['cm.data', ['FIELD: data <map[string]string>']],
      ['svc.spec.ports --recursive', ['targetPort\t<IntOrString>', 'nodePort\t<integer>']],
      ['pod --recursive', ['containers\t<[]Container> -required-', 'securityContext\t<PodSecurityContext>', 'apiVersion\t<string>\n  kind']],
      ['pods --output=plaintext-openapiv2', ['KIND:     Pod', 'metadata\t<Object>']],
    ])('%s', async (what, told) => {
      const text = await ok(`explain ${what}`)
      for (const part of told) expect(text).toContain(part)
    })

    test('a field that is not there', async () => {
      expect(await fails('explain pod.spec.foo')).toContain('field "foo" does not exist')
    })
  })

  test('api-resources and api-versions', async () => {
    const { group, kinds } = usageGroup
    const usages = kinds.map(({ plural }) => ({ group, plural }))
    const names = (await ok('api-resources -o name')).split('\n')
    const all = [...servedKinds, ...reviewKinds, ...usages].map((k) => (k.group ? `${k.plural}.${k.group}` : k.plural))
    expect(names.toSorted()).toEqual([...new Set(all)].toSorted())
    expect(await ok('api-resources --namespaced=false -o name')).toContain('nodes')
    expect(await ok('api-resources --api-group=apps --no-headers')).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment/m)
    expect(await ok('api-resources -o wide --api-group=apps')).toContain('create,delete,deletecollection,get,list,patch,update,watch')
    expect((await ok('api-versions')).split('\n')).toContain('apps/v1')
  })

  test.each([
    ['get deploy web -o name', 'deployment.apps/web'],
    ['get deploy/web svc/web -o name', 'deployment.apps/web\nservice/web'],
    ['get deployments.v1.apps web -o name', 'deployment.apps/web'],
    ['get deploy web -o jsonpath={.spec.template.spec.containers[*].image}', 'web:1'],
    ['get cm -o jsonpath={.items[*].metadata.name}', 'a b c d e'],
    ['get cm a -o go-template={{.data.k}}', 'v'],
    ['get cm a --template={{.metadata.name}}', 'a'],
    ['get cm -o custom-columns=N:.metadata.name,K:.data.k --no-headers', 'a     v\nb     v\nc     v\nd     v\ne     v'],
    ['get cm --field-selector=metadata.name=b -o name', 'configmap/b'],
    ['get cm --field-selector=metadata.name!=b -o name', 'configmap/a\nconfigmap/c\nconfigmap/d\nconfigmap/e'],
    ['get cm --sort-by=.metadata.name -o name', 'configmap/a\nconfigmap/b\nconfigmap/c\nconfigmap/d\nconfigmap/e'],
    ['get cm --chunk-size=2 -o name', 'configmap/a\nconfigmap/b\nconfigmap/c\nconfigmap/d\nconfigmap/e'],
    ['get cm none --ignore-not-found', ''],
    ['get pods', 'No resources found in default namespace.'],
    ['get pods -A', 'No resources found'],
    ['get --raw /apis/apps/v1/namespaces/default/deployments/web/scale --request-timeout=5', '"kind":"Scale"'],
  ])('%s', async (line, told) => {
    const text = await ok(line)
    if (told.startsWith('"')) expect(text).toContain(told)
    else expect(text).toBe(told)
  })

  test.each([
    ['get deploy web', ['NAME', 'READY', 'UP-TO-DATE', 'AVAILABLE', 'AGE']],
    ['get cm --show-labels', ['NAME', 'DATA', 'AGE', 'LABELS']],
    ['get svc web -L app', ['NAME', 'TYPE', 'CLUSTER-IP', 'EXTERNAL-IP', 'PORT(S)', 'AGE', 'APP']],
    ['get svc -A', ['NAMESPACE', 'NAME', 'TYPE', 'CLUSTER-IP', 'EXTERNAL-IP', 'PORT(S)', 'AGE']],
    ['get ns default', ['NAME', 'STATUS', 'AGE']],
    ['get cm --show-kind', ['NAME', 'DATA', 'AGE']],
    ['get cm -o wide --chunk-size=2', ['NAME', 'DATA', 'AGE']],
  ])('%s has the columns %j', async (line, columns) => {
    const [head, row] = (await ok(line)).split('\n')
    expect(head!.trim().split(/\s+/)).toEqual(columns)
    expect(row!.trim().split(/\s{2,}/).length).toBeGreaterThan(2)
  })

  test.each([
    ['get nothing', 'the server doesn\'t have a resource type "nothing"'],
    ['get pod none', 'Error from server (NotFound): pods "none" not found'],
    ['get cm --field-selector=data=1', 'field label not supported: data'],
    ['get cm -l a=b=c', 'unable to parse the label selector'],
    ['get --raw /apis/none/v1', 'the server could not find the requested resource'],
  ])('%s fails in words', async (line, told) => {
    expect(await fails(line)).toContain(told)
  })

  test('diff tells what apply would do, and nothing where it would do nothing', async () => {
    expect(await ok('diff -f -', web('web:1'))).toBe('')
    expect(await fails('diff -f -', web('web:2'))).toMatch(/-\s+- image: web:1\n\+\s+- image: web:2/)
    expect(await fails('diff -f -', web('web:1').replace('name: web}', 'name: fresh}'))).toContain('+  name: fresh')
  })

  test('describe', async () => {
    expect(await ok('describe deploy web')).toMatch(/Selector: +app=web/)
    expect(await ok('describe cm a')).toContain('Data\n====\nk:')
    expect(await ok('describe ns default')).toMatch(/Status: +Active/)
  })

  test('completion of names', async () => {
    expect(await ok('__complete get cm a')).toContain('a\n')
    expect(await ok('__complete get deploy w')).toContain('web\n')
  })
})

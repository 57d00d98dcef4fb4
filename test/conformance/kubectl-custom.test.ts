/** Kinds that somebody defines, as a stock kubectl meets them: defined, explained, made, shown, changed, refused, deleted. */
import { beforeAll, describe, expect, test } from 'vitest'
import { bootstrap } from '../../server/bootstrap.ts'
import { cronTab, customResourceDefinition } from '../kit/custom.ts'
import { kubectlFile, useKubectl } from '../kit/kubectl.ts'
import { waitFor } from '../kit/wait.ts'

const crd = JSON.stringify(customResourceDefinition())
const nightly = JSON.stringify(cronTab())
const another = (spec: object, metadata: object = {}): string => JSON.stringify(cronTab({ metadata: { name: 'other', ...metadata }, spec }))

describe.skipIf(!kubectlFile)('kinds that somebody defines (skipped where no kubectl since 1.27 is on PATH)', () => {
  const stage = useKubectl({ commands: 60, controllers: true })
  const { ok, fails } = stage
  beforeAll(() => bootstrap(stage.trial.registry, { clusterIP: '10.96.0.1', port: 6443 }))
  const head = async (line: string): Promise<string> => (await ok(line)).split('\n')[0]!.trim().replaceAll(/\s+/g, ' ')

  test('the definition is made, established, shown and explained', async () => {
    expect(await ok('create -f -', crd)).toContain('customresourcedefinition.apiextensions.k8s.io/crontabs.stable.example.com created')
    expect(await ok('wait --for=condition=Established crd/crontabs.stable.example.com --timeout=5s')).toContain('condition met')
    expect(await ok('get crd crontabs.stable.example.com -o jsonpath={.status.acceptedNames.kind},{.status.storedVersions},{.spec.names.listKind},{.spec.conversion.strategy}')).toBe('CronTab,["v1"],CronTabList,None')
    expect(await head('get crds')).toBe('NAME CREATED AT')
    expect(await ok('api-resources --api-group=stable.example.com')).toMatch(/crontabs +ct +stable\.example\.com\/v1 +true +CronTab/)
    expect(await ok('api-versions')).toContain('stable.example.com/v1beta1')
    expect(await ok('explain crontab.spec')).toMatch(/What is wished for[^]*cronSpec[^]*-required-[^]*Five fields/)
    expect(await ok('explain ct --recursive')).toMatch(/replicas\s+<integer>/)
    expect(await ok('explain crd.spec.versions.schema.openAPIV3Schema')).toMatch(/FIELDS?:/)
    expect(await ok('apply -f -', crd)).toMatch(/configured|unchanged/)
  })

  test('objects are made, shown in their columns, and described', async () => {
    expect(await ok('create -f -', nightly)).toContain('crontab.stable.example.com/nightly created')
    expect(await head('get ct')).toBe('NAME SPEC REPLICAS AGE')
    expect(await head('get ct -o wide')).toBe('NAME SPEC REPLICAS READY AGE')
    expect(await ok('get crontabs --no-headers')).toMatch(/^nightly +0 3 \* \* \* +1 +\d+s/)
    expect(await ok('get ct nightly -o jsonpath={.spec.replicas},{.spec.mode},{.metadata.generation},{.kind}')).toBe('1,fast,1,CronTab')
    expect(await ok('get all')).toContain('crontab.stable.example.com/nightly')
    expect(await ok('get ct -A -o name')).toBe('crontab.stable.example.com/nightly')
    expect(await ok('get ct --field-selector=metadata.name=nightly -o name')).toContain('nightly')
    expect(await ok('get ct --field-selector=spec.image=none -o name')).toBe('')
    expect(await fails('get ct --field-selector=spec.mode=fast')).toContain('field label not supported: spec.mode')
    expect(await ok('describe ct nightly')).toMatch(/Cron Spec: +0 3/)
  })

  test('each version serves the same objects', async () => {
    expect(await ok('get crontabs.v1beta1.stable.example.com nightly -o jsonpath={.apiVersion}')).toMatch(/stable\.example\.com\/v1beta1$/m)
    expect(await ok('get crontabs.v1beta1.stable.example.com nightly -o name')).toContain('Warning: stable.example.com/v1beta1 CronTab is deprecated')
    await ok('apply -f -', JSON.stringify(cronTab({ apiVersion: 'stable.example.com/v1beta1', metadata: { name: 'older' } })))
    expect(await ok('get ct older -o jsonpath={.apiVersion}')).toBe('stable.example.com/v1')
    expect(stage.trial.store.get({ resource: 'crontabs.stable.example.com' as never, namespace: 'default', name: 'older' })?.apiVersion).toBe('stable.example.com/v1')
    await ok('delete ct older')
  })

  test('patch in its formats, label, annotate, edit by replace', async () => {
    expect(await ok('patch ct nightly --type=merge -p {"spec":{"image":"web:2"}}')).toContain('patched')
    expect(await ok('patch ct nightly --type=json -p [{"op":"replace","path":"/spec/replicas","value":2}]')).toContain('patched')
    expect(await ok('get ct nightly -o jsonpath={.spec.image},{.spec.replicas},{.metadata.generation}')).toBe('web:2,2,3')
    expect(await fails('patch ct nightly -p {"spec":{"image":"web:3"}}')).toMatch(/UnsupportedMediaType|application\/merge-patch\+json/)
    expect(await ok('label ct nightly tier=front')).toContain('labeled')
    expect(await ok('get ct -l tier=front -o name')).toContain('nightly')
    expect(await ok('get ct nightly -o jsonpath={.metadata.generation}')).toBe('3')
    await ok('replace -f -', (await ok('get ct nightly -o json')).replace('web:2', 'web:4'))
    expect(await ok('get ct nightly -o jsonpath={.spec.image}')).toBe('web:4')
  })

  test('scale and status have doors of their own', async () => {
    expect(await ok('scale ct nightly --replicas=4')).toContain('scaled')
    expect(await ok('get ct nightly -o jsonpath={.spec.replicas}')).toBe('4')
    expect(await fails('scale ct nightly --replicas=40')).toContain('spec.replicas: Invalid value: 40: must be less than or equal to 10')
    const before = await ok('get ct nightly -o jsonpath={.metadata.generation}')
    const status = { status: { replicas: 3, selector: 'app=x', conditions: [{ type: 'Ready', status: 'True' }] } }
    await ok(`patch ct nightly --subresource=status --type=merge -p ${JSON.stringify(status)}`)
    expect(await ok('get ct nightly -o wide --no-headers')).toMatch(/ 4 +True/)
    await ok(`patch ct nightly --type=merge -p ${JSON.stringify({ status: { replicas: 9 } })}`)
    expect(await ok('get ct nightly -o jsonpath={.status.replicas},{.metadata.generation}')).toBe(`3,${before}`)
    expect(await ok('get --raw /apis/stable.example.com/v1/namespaces/default/crontabs/nightly/scale')).toMatch(/"spec":\{"replicas":4\},"status":\{"replicas":3,"selector":"app=x"\}/)
    expect(await ok('wait --for=condition=Ready ct/nightly --timeout=5s')).toContain('condition met')
  })

  test('apply, by the client and by the server', async () => {
    const first = another({ env: [{ name: 'A', value: '1' }] })
    expect(await ok('apply -f -', first)).toContain('created')
    expect(await ok('apply -f -', first)).toContain('unchanged')
    expect(await ok('diff -f -', first)).not.toMatch(/^[-+] /m)
    await fails('diff -f -', another({ image: 'web:7', env: [{ name: 'A', value: '1' }] }))
    expect(await ok('apply --server-side --field-manager=one --force-conflicts -f -', another({ env: [{ name: 'A', value: '1' }] }))).toContain('serverside-applied')
    const second = JSON.stringify({ apiVersion: 'stable.example.com/v1', kind: 'CronTab', metadata: { name: 'other' }, spec: { env: [{ name: 'B', value: '2' }] } })
    expect(await ok('apply --server-side --field-manager=two -f -', second)).toContain('serverside-applied')
    expect(await ok('get ct other -o jsonpath={.spec.env[*].name}')).toBe('A B')
    const taken = JSON.stringify({ apiVersion: 'stable.example.com/v1', kind: 'CronTab', metadata: { name: 'other' }, spec: { env: [{ name: 'A', value: '9' }] } })
    expect(await fails('apply --server-side --field-manager=two -f -', taken)).toMatch(/conflict[^]*\.spec\.env\[name="A"\]\.value/)
    expect(await fails('apply --server-side --validate=false --field-manager=two -f -', another({ colour: 'red' }))).toContain('.spec.colour: field not declared in schema')
    await ok('delete ct other')
  })

  test.each([
    [{ cronSpec: 'often' }, "spec.cronSpec: Invalid value: \"often\": must match"],
    [{ cronSpec: undefined }, 'spec.cronSpec: Required value'],
    [{ replicas: 'two' }, 'spec.replicas: Invalid value: "two": must be a whole number'],
    [{ replicas: 0 }, 'spec.replicas: Invalid value: 0: must be greater than or equal to 1'],
    [{ mode: 'odd' }, 'spec.mode: Unsupported value: "odd": supported values: "fast", "slow"'],
    [{ image: 'x' }, 'spec.image: Invalid value: "x": must have at least 2 characters'],
    [{ env: [{ name: 'A' }, { name: 'A' }] }, 'spec.env[1]: Duplicate value: {"name":"A"}'],
    [{ tags: ['a', 'a'] }, 'spec.tags[1]: Duplicate value: "a"'],
    [{ labels: { a: 1 } }, 'spec.labels[a]: Invalid value: 1: must be a string'],
    [{ port: true }, 'spec.port: Invalid value: true: must be a whole number or a string'],
  ])('%j is refused', async (spec, told) => {
    expect(await fails('create --validate=false -f -', another(spec))).toContain(told)
  })

  test('fields that the schema does not know: refused, warned of, or pruned', async () => {
    const odd = another({ colour: 'red', free: { any: { thing: 1 } } }, { name: 'odd' })
    expect(await fails('create --validate=strict -f -', odd)).toContain('strict decoding error: unknown field "spec.colour"')
    expect(await ok('create --validate=warn -f -', odd)).toContain('Warning: unknown field "spec.colour"')
    expect(await ok('get ct odd -o jsonpath={.spec.colour},{.spec.free.any.thing}')).toBe(',1')
    await ok('delete ct odd')
  })

  test.each([
    ['name', { metadata: { name: 'other' } }, 'metadata.name: Invalid value: "other": must be spec.names.plural+"."+spec.group'],
    ['group', { metadata: { name: 'crontabs.stable' }, spec: { group: 'stable' } }, 'spec.group: Invalid value: "stable": should be a domain with at least one dot'],
    ['conversion', { spec: { conversion: { strategy: 'Webhook' } } }, 'spec.conversion.strategy: Forbidden: this hub does not call webhooks: use None'],
  ])('a definition with a wrong %s is refused', async (_what, part, told) => {
    expect(await fails('create --dry-run=server --validate=false -f -', JSON.stringify(customResourceDefinition(part as never)))).toContain(told)
  })

  test('CEL is told of, and not evaluated', async () => {
    const ruled = customResourceDefinition({ metadata: { name: 'rules.stable.example.com' } })
    const schema = { type: 'object', 'x-kubernetes-validations': [{ rule: 'false' }] }
    const spec = { group: 'stable.example.com', scope: 'Cluster', names: { plural: 'rules', kind: 'Rule' }, versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }] }
    expect(await ok('create -f -', JSON.stringify({ ...ruled, spec }))).toContain('Warning: version v1: x-kubernetes-validations (CEL) are stored and published, but this hub does not evaluate them')
    expect(await ok('create -f -', JSON.stringify({ apiVersion: 'stable.example.com/v1', kind: 'Rule', metadata: { name: 'a' } }))).toContain('rule.stable.example.com/a created')
    expect(await head('get rules')).toBe('NAME AGE')
    await ok('delete crd rules.stable.example.com')
    expect(await fails('get rules')).toMatch(/the server doesn't have a resource type|could not find/)
  })

  test('names that another definition has are not accepted, until it gives them back', async () => {
    const names = { plural: 'others', singular: 'other', kind: 'Other', shortNames: ['ct'] }
    const rival = customResourceDefinition({ metadata: { name: 'others.stable.example.com' } })
    await ok('create -f -', JSON.stringify({ ...rival, spec: { ...rival.spec, names } }))
    const told = 'get crd others.stable.example.com -o jsonpath={.status.conditions[?(@.type=="NamesAccepted")].reason},{.status.conditions[?(@.type=="Established")].status}'
    expect(await ok(told)).toBe('ShortNamesConflict,False')
    await ok('patch crd crontabs.stable.example.com --type=json -p [{"op":"remove","path":"/spec/names/shortNames"}]')
    await waitFor('the name to be accepted', async () => (await ok(told)) === 'NoConflicts,True')
    await ok('delete crd others.stable.example.com')
  })

  test('dependents and namespaces go as they do for all kinds', async () => {
    const uid = await ok('get crontab nightly -o jsonpath={.metadata.uid}')
    const owner = { apiVersion: 'stable.example.com/v1', kind: 'CronTab', name: 'nightly', uid }
    await ok('create -f -', JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept', ownerReferences: [owner] } }))
    await ok('create -f -', another({}, { name: 'child', ownerReferences: [owner] }))
    await ok('create namespace short')
    await ok('create -f -', another({}, { name: 'inside', namespace: 'short' }))
    await ok('delete namespace short --timeout=10s')
    expect(await ok('get crontabs -A -o jsonpath={.items[*].metadata.name}')).toBe('child nightly')
    await ok('delete crontab nightly')
    await waitFor('the dependents to go', async () => (await ok('get crontabs,configmaps -o name')) === '')
  })

  test('with the definition go its objects, those with finalizers last', async () => {
    await ok('create -f -', another({}, { name: 'held', finalizers: ['example.com/hold'] }))
    await ok('create -f -', another({}, { name: 'free' }))
    await ok('delete crd crontabs.stable.example.com --wait=false')
    await waitFor('the free one to go', async () => (await ok('get crontabs -o jsonpath={.items[*].metadata.name}')) === 'held')
    expect(await fails('create --validate=false -f -', another({}, { name: 'late' }))).toContain('create not allowed while custom resource definition is terminating')
    expect(await ok('get crd crontabs.stable.example.com -o jsonpath={.status.conditions[?(@.type=="Terminating")].status},{.metadata.finalizers}')).toBe('True,["customresourcecleanup.apiextensions.k8s.io"]')
    await ok('patch crontab held --type=json -p [{"op":"remove","path":"/metadata/finalizers"}]')
    await ok('wait --for=delete crd/crontabs.stable.example.com --timeout=10s')
    expect(await fails('get crontabs')).toMatch(/the server doesn't have a resource type|could not find/)
    expect(stage.trial.complaints).toEqual([])
  })
})

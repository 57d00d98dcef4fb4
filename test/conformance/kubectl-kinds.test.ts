/** The kinds that the hub keeps for others to act on, as a stock kubectl meets them: made, shown, described, changed, refused, deleted. */
import { beforeAll, describe, expect, test } from 'vitest'
import { kindByType, type ResourceKind } from '../../api/resources.ts'
import { bootstrap } from '../../server/bootstrap.ts'
import { drafts } from '../kit/kinds.ts'
import { kubectlFile, useKubectl } from '../kit/kubectl.ts'

const rows = drafts.map((draft) => {
  const of = kindByType(draft.apiVersion, draft.kind)!
  return [of.group ? `${of.plural}.${of.group}` : of.plural, of, draft] as const
})
const storageClass = (name: string, metadata: object = {}): string =>
  JSON.stringify({ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name, ...metadata }, provisioner: 'a.test/b' })
const shortest = (of: ResourceKind): string => of.shortNames[0] ?? of.singular

/** What `kubectl get` and `kubectl get -o wide` print above the columns; the wide ones add to the others. */
const heads: Readonly<Record<string, readonly [narrow: string, wide?: string]>> = {
  replicationcontrollers: ['NAME DESIRED CURRENT READY AGE', 'CONTAINERS IMAGES SELECTOR'],
  podtemplates: ['NAME CONTAINERS IMAGES POD LABELS'],
  limitranges: ['NAME CREATED AT'],
  resourcequotas: ['NAME AGE REQUEST LIMIT'],
  persistentvolumes: ['NAME CAPACITY ACCESS MODES RECLAIM POLICY STATUS CLAIM STORAGECLASS VOLUMEATTRIBUTESCLASS REASON AGE', 'VOLUMEMODE'],
  persistentvolumeclaims: ['NAME STATUS VOLUME CAPACITY ACCESS MODES STORAGECLASS VOLUMEATTRIBUTESCLASS AGE', 'VOLUMEMODE'],
  daemonsets: ['NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE SELECTOR AGE', 'CONTAINERS IMAGES SELECTOR'],
  statefulsets: ['NAME READY AGE', 'CONTAINERS IMAGES'],
  controllerrevisions: ['NAME CONTROLLER REVISION AGE'],
  jobs: ['NAME STATUS COMPLETIONS DURATION AGE', 'CONTAINERS IMAGES SELECTOR'],
  cronjobs: ['NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE AGE', 'CONTAINERS IMAGES SELECTOR'],
  poddisruptionbudgets: ['NAME MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS AGE'],
  priorityclasses: ['NAME VALUE GLOBAL-DEFAULT AGE', 'PREEMPTIONPOLICY'],
  horizontalpodautoscalers: ['NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE'],
  ingresses: ['NAME CLASS HOSTS ADDRESS PORTS AGE'],
  ingressclasses: ['NAME CONTROLLER PARAMETERS AGE'],
  networkpolicies: ['NAME POD-SELECTOR AGE'],
  storageclasses: ['NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE'],
}
/** Kinds whose drafts have items in atomic lists to which defaults are added. */
const defaulted: readonly string[] = ['LimitRange', 'NetworkPolicy']

/** What `kubectl describe` says of each, with its own reader of that kind. */
const described: Readonly<Record<string, RegExp>> = {
  replicationcontrollers: /Replicas: +0 current \/ 1 desired/,
  podtemplates: /Kind: +PodTemplate/,
  limitranges: /Container +cpu +100m +2/,
  resourcequotas: /pods +0 +10|Resource +Used +Hard/,
  persistentvolumes: /Reclaim Policy: +Retain/,
  persistentvolumeclaims: /Status: +Pending/,
  daemonsets: /Desired Number of Nodes Scheduled: 0/,
  statefulsets: /Replicas: +1 desired \| 0 total/,
  controllerrevisions: /Revision: +1/,
  jobs: /Completions: +1/,
  cronjobs: /Schedule: +\*\/5 \* \* \* \*/,
  poddisruptionbudgets: /Min available: +1/,
  priorityclasses: /Value: +10/,
  horizontalpodautoscalers: /Max replicas: +3/,
  ingresses: /a\.test/,
  ingressclasses: /Controller: +example\.test\/ingress/,
  networkpolicies: /PodSelector: +app=web/,
  storageclasses: /Provisioner: +example\.test\/disk/,
}

describe.skipIf(!kubectlFile)('kinds of others (skipped where no kubectl since 1.27 is on PATH)', () => {
  const stage = useKubectl({ commands: 200 })
  const { ok, fails } = stage
  beforeAll(async () => {
    await bootstrap(stage.trial.registry, { clusterIP: '10.96.0.1', port: 6443 })
  })

  describe('each kind', () => {
    test.each(rows)('%s', async (name, of, draft) => {
      const manifest = JSON.stringify(draft)
      const told = `${of.singular}${of.group ? `.${of.group}` : ''}/x`
      expect(await ok('apply -f -', manifest)).toContain(`${told} created`)
      // Where a list is replaced as a whole, kubectl sends it again, and it is what it was.
      const made = stage.trial.store.revision
      expect(await ok('apply -f -', manifest)).toMatch(defaulted.includes(of.kind) ? `${told} configured` : `${told} unchanged`)
      expect(stage.trial.store.revision).toBe(made)
      expect(await ok('apply --server-side --force-conflicts --field-manager=other -f -', manifest)).toContain(`${told} serverside-applied`)
      expect(stage.trial.store.revision).toBeGreaterThan(made)
      const [narrow, wide = ''] = heads[of.plural]!
      const head = async (line: string): Promise<string> => (await ok(line)).split('\n')[0]!.trim().replaceAll(/\s+/g, ' ')
      expect(await head(`get ${shortest(of)} x`)).toBe(narrow)
      expect(await head(`get ${name} x -o wide`)).toBe([narrow, wide].filter((part) => part !== '').join(' '))
      expect(await ok(`get ${name} x -o jsonpath={.kind}`)).toBe(of.kind)
      expect(await ok(`describe ${name} x`)).toMatch(described[of.plural]!)
      expect(await ok(`label ${name} x tier=front`)).toContain(`${told} labeled`)
      expect(await ok(`get ${name} -l tier=front -o name`)).toBe(told)
      expect(await ok('diff -f -', manifest)).not.toMatch(/^[-+] /m)
      expect(await ok(`delete ${name} x`)).toContain(`${of.singular}${of.group ? `.${of.group}` : ''} "x" deleted`)
      expect(await fails(`get ${name} x`)).toContain('not found')
    })
  })

  test.each([
    ['create job once --image=web:1', 'job.batch/once created', 'get job once -o jsonpath={.spec.backoffLimit}{.spec.completions}', '61'],
    ['create cronjob often --image=web:1 --schedule=@hourly', 'cronjob.batch/often created', 'get cj often -o jsonpath={.spec.concurrencyPolicy}', 'Allow'],
    ['create job now --from=cronjob/often', 'job.batch/now created', 'get job now -o jsonpath={.metadata.ownerReferences[0].name}', 'often'],
    ['create quota few --hard=pods=2,cpu=1', 'resourcequota/few created', 'get quota few -o jsonpath={.spec.hard.pods}', '2'],
    ['create pdb some --selector=app=web --min-available=50%', 'poddisruptionbudget.policy/some created', 'get pdb some -o jsonpath={.spec.minAvailable}', '50%'],
    ['create pdb none --selector=app=web --max-unavailable=0', 'poddisruptionbudget.policy/none created', 'get pdb none -o jsonpath={.spec.maxUnavailable}', '0'],
    ['create priorityclass low --value=0 --description=low', 'priorityclass.scheduling.k8s.io/low created', 'get pc low -o jsonpath={.value}', '0'],
    ['create ingress web --rule=a.test/=web:80', 'ingress.networking.k8s.io/web created', 'get ing web -o jsonpath={.spec.rules[0].http.paths[0].pathType}', 'Exact'],
    ['create deployment web --image=web:1', 'deployment.apps/web created', 'get deploy web -o jsonpath={.spec.replicas}', '1'],
    ['autoscale deployment web --max=4 --min=2 --cpu-percent=70', 'horizontalpodautoscaler.autoscaling/web autoscaled', 'get hpa web -o jsonpath={.spec.metrics[0].resource.target.averageUtilization}', '70'],
  ])('%s', async (line, told, look, found) => {
    expect(await ok(line)).toContain(told)
    expect(await ok(look)).toBe(found)
  })

  test('an autoscaler is read and written in both versions', async () => {
    expect(await ok('get horizontalpodautoscalers.v1.autoscaling web -o jsonpath={.apiVersion},{.spec.targetCPUUtilizationPercentage}')).toBe('autoscaling/v1,70')
    const body = (await ok('get horizontalpodautoscalers.v1.autoscaling web -o json')).replace('"targetCPUUtilizationPercentage": 70', '"targetCPUUtilizationPercentage": 60')
    await ok('replace -f -', body)
    expect(await ok('get hpa web -o jsonpath={.apiVersion},{.spec.metrics[0].resource.target.averageUtilization}')).toBe('autoscaling/v2,60')
    expect(await ok('get hpa web --no-headers')).toMatch(/^web +Deployment\/web +cpu: <unknown>\/60% +2 +4 +0/)
  })

  test('scale is a way to say replicas, where there are some', async () => {
    for (const kind of ['ReplicationController', 'StatefulSet']) {
      const draft = drafts.find((d) => d.kind === kind)!
      const of = kindByType(draft.apiVersion, draft.kind)!
      await ok('apply -f -', JSON.stringify(draft))
      expect(await ok(`scale ${of.singular} x --replicas=4`)).toContain('scaled')
      expect(await ok(`get ${of.singular} x -o jsonpath={.spec.replicas},{.metadata.generation}`)).toBe('4,2')
      await ok(`delete ${of.singular} x`)
    }
    await ok('apply -f -', JSON.stringify(drafts.find((d) => d.kind === 'DaemonSet')))
    expect(await fails('scale daemonset x --replicas=4')).toMatch(/could not find the requested resource|not found/)
    await ok('delete daemonset x')
  })

  test('the system has its priority classes, a pod gets the value of its own, and they stay', async () => {
    expect(await ok('get pc -o jsonpath={.items[*].value}')).toBe('0 2000000000 2000001000')
    await ok('run critical --image=web:1 --overrides={"spec":{"priorityClassName":"system-node-critical"}}')
    expect(await ok('get pod critical -o jsonpath={.spec.priority},{.spec.preemptionPolicy}')).toBe('2000001000,PreemptLowerPriority')
    expect(await fails('delete pc system-node-critical')).toContain('this is a system priority class and cannot be deleted')
    expect(await fails('run lost --image=web:1 --overrides={"spec":{"priorityClassName":"none"}}')).toContain('no PriorityClass with name none was found')
    expect(await fails('create priorityclass system-mine --value=1')).toContain("names that begin with 'system-' are reserved")
  })

  test('what will not happen is said when it is asked for', async () => {
    const warned = async (kind: string): Promise<string> => {
      const text = await ok('apply --dry-run=server -f -', JSON.stringify(drafts.find((d) => d.kind === kind)))
      return /Warning: (.*)/.exec(text)?.[1] ?? ''
    }
    expect(await warned('DaemonSet')).toContain('no pods are started')
    expect(await warned('NetworkPolicy')).toContain('not enforced')
    expect(await warned('ResourceQuota')).toContain('not enforced')
    expect(await warned('PersistentVolumeClaim')).toContain('stays Pending')
    expect(await warned('Ingress')).toBe('')
  })

  test('an eviction asks the budget of the pod', async () => {
    const eviction = (name: string): string => JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'default' } })
    const evict = (name: string): string => `create --raw /api/v1/namespaces/default/pods/${name}/eviction -f -`
    await ok('create pdb kept --selector=run=kept --min-available=1')
    await ok('run kept --image=web:1')
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
    await ok(`patch pod kept --subresource=status -p ${JSON.stringify({ status })}`)
    expect(await fails(evict('kept'), eviction('kept'))).toContain("Cannot evict pod as it would violate the pod's disruption budget.")
    await ok('delete pdb kept')
    expect(await ok(evict('kept'), eviction('kept'))).toContain('"status":"Success"')
  })

  test('a default class is given to those that name none', async () => {
    await ok('apply -f -', storageClass('fast', { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } }))
    expect(await ok('get sc fast --no-headers')).toMatch(/^fast \(default\) +a\.test\/b +Delete +Immediate +false/)
    await ok('apply -f -', JSON.stringify(drafts.find((d) => d.kind === 'PersistentVolumeClaim')))
    expect(await ok('get pvc x -o jsonpath={.spec.storageClassName}')).toBe('fast')
  })

  test.each([
    ['Job', { template: { spec: { restartPolicy: 'Always' } } }, 'spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "OnFailure", "Never"'],
    ['CronJob', { schedule: '* * *' }, 'spec.schedule: Invalid value: "* * *": must have five fields'],
    ['StatefulSet', { replicas: -1 }, 'spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    ['DaemonSet', { selector: { matchLabels: { app: 'other' } } }, 'spec.template.metadata.labels: Invalid value'],
    ['PersistentVolume', { accessModes: [] }, 'spec.accessModes: Required value'],
    ['PersistentVolumeClaim', { resources: {} }, 'spec.resources[storage]: Required value'],
    ['PodDisruptionBudget', { maxUnavailable: 1 }, '`minAvailable` and `maxUnavailable` cannot be both set'],
    ['HorizontalPodAutoscaler', { minReplicas: 9 }, 'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
    ['Ingress', { rules: [] }, 'either `defaultBackend` or `rules` must be specified'],
    ['NetworkPolicy', { ingress: [{ ports: [{ port: 70000 }] }] }, 'spec.ingress[0].ports[0].port: Invalid value: 70000'],
    ['LimitRange', { limits: [{ type: 'Container', max: { cpu: '1' }, min: { cpu: '2' } }] }, 'spec.limits[0].min[cpu]: Invalid value: "2"'],
    ['ResourceQuota', { hard: { bogus: '1' } }, 'spec.hard[bogus]: Invalid value'],
    ['IngressClass', { controller: '' }, 'spec.controller: Required value'],
  ])('a wrong %s is refused with %j named', async (kind, spec, told) => {
    const draft = drafts.find((d) => d.kind === kind)! as unknown as { readonly spec: { readonly template?: { readonly spec: object } } }
    const template = draft.spec.template && 'template' in spec ? { template: { spec: { ...draft.spec.template.spec, ...(spec.template as { spec: object }).spec } } } : {}
    expect(await fails('create -f -', JSON.stringify({ ...draft, spec: { ...draft.spec, ...spec, ...template } }))).toContain(told)
  })

  test('words of immutable fields', async () => {
    await ok('apply -f -', storageClass('slow'))
    expect(await fails('patch sc slow -p {"provisioner":"c.test/d"}')).toContain('provisioner: Invalid value: "c.test/d": field is immutable')
    expect(await fails('patch pc low --type=merge -p {"value":5}')).toContain('value: Invalid value: 5: field is immutable')
    expect(await fails('patch pvc x --type=merge -p {"spec":{"accessModes":["ReadWriteMany"]}}')).toContain('spec: Forbidden: spec is immutable after creation')
    expect(await fails('patch job once --type=merge -p {"spec":{"completions":3}}')).toContain('spec.completions: Invalid value: 3: field is immutable')
  })

  test.each(['hpa.v1.autoscaling', 'cronjob.spec.jobTemplate.spec.template', 'sts.spec.volumeClaimTemplates', 'ing.spec.rules.http.paths', 'netpol.spec.egress.to'])(
    'explain %s',
    async (what) => {
      expect(await ok(what.startsWith('hpa') ? 'explain hpa.spec --api-version=autoscaling/v1' : `explain ${what}`)).toMatch(/FIELDS?:/)
    },
  )
})

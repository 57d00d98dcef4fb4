/** What everybody does with kubectl all day, with each kubectl of this machine: the commands that are the same from 1.20 on. */
import { beforeAll, describe, expect, test } from 'vitest'
import { kubectls, useKubectl } from '../kit/kubectl.ts'

const file = ['-f', '-']
const web = (image = 'web:1', replicas = 2): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "${image}", ports: [{containerPort: 8080}]}]}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`
const map = (data: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: ${data}\n`
const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {seats: {type: integer, minimum: 1}}}}}}
`

describe.skipIf(kubectls.length === 0)('every kubectl (skipped where there is none)', () => {
  describe.each(kubectls)('1.$minor', ({ file: program }) => {
    const stage = useKubectl({ commands: 80, controllers: true, editor: 'sed -i s/seats:.2/seats:\\ 3/', file: program })
    const { ok, fails } = stage
    beforeAll(async () => {
      expect(await ok(['apply', ...file], web())).toBe('deployment.apps/web created\nservice/web created')
    })
    const get = (what: string): Promise<string> => ok(`get ${what}`)

    test('who the server is, and what it has', async () => {
      expect(await ok('version')).toMatch(/Server Version.*v1\.32\.0\+wherry/)
      expect(await ok('api-versions')).toMatch(/apps\/v1\nauthentication/)
      expect(await ok('api-resources --no-headers')).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment/m)
      expect(await ok('cluster-info')).toContain('is running at')
      expect(await ok('auth can-i create pods')).toBe('yes')
      expect(await ok('get --raw /readyz')).toBe('ok')
    })

    test('the forms of get, and describe', async () => {
      expect(await get('deploy')).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb /)
      expect(await get('deploy,svc -o name')).toBe('deployment.apps/web\nservice/web')
      expect(await get('deploy -o wide')).toMatch(/CONTAINERS +IMAGES +SELECTOR/)
      expect(await get('svc web -o jsonpath={.spec.ports[0].targetPort}')).toBe('8080')
      expect(await get('deploy -o custom-columns=N:.metadata.name,R:.spec.replicas')).toMatch(/N +R\nweb +2/)
      expect(await get('deploy -l app=web --no-headers')).toMatch(/^web /)
      expect(await get('deploy -l app!=web')).toContain('No resources found')
      expect(await get('ns --sort-by=.metadata.name -o name')).toMatch(/^namespace\/default/)
      expect(await get('deploy web -o yaml')).toContain('image: web:1')
      expect(await get('svc -A -o json')).toContain('"kind": "List"')
      expect(await fails('get deploy nobody')).toBe('Error from server (NotFound): deployments.apps "nobody" not found')
      expect(await fails('get boats')).toContain('the server doesn\'t have a resource type "boats"')
      expect(await ok('describe deploy web')).toMatch(/Selector: +app=web/)
      expect(await ok('describe svc web')).toMatch(/Port: +<unset> +80\/TCP/)
      expect(await ok('explain deployment.spec.replicas')).toMatch(/FIELD: +replicas <integer>/)
      expect(await ok('explain pods')).toMatch(/KIND: +Pod\n/)
    })

    test('create, of many kinds', async () => {
      await ok('create namespace short')
      for (const [line, told] of [
        ['create configmap made --from-literal=a=1', 'configmap/made created'],
        ['create secret generic made --from-literal=a=1', 'secret/made created'],
        ['create serviceaccount made', 'serviceaccount/made created'],
        ['create service nodeport made --tcp=80:8080', 'service/made created'],
        ['create quota made --hard=pods=9', 'resourcequota/made created'],
        ['create role made --verb=get --resource=pods', 'role.rbac.authorization.k8s.io/made created'],
        ['create rolebinding made --role=made --serviceaccount=short:made', 'rolebinding.rbac.authorization.k8s.io/made created'],
        ['create deployment made --image=made:1 --replicas=0', 'deployment.apps/made created'],
        ['create job made --image=made:1', 'job.batch/made created'],
        ['create priorityclass made --value=7', 'priorityclass.scheduling.k8s.io/made created'],
        ['run made --image=made:1', 'pod/made created'],
      ] as const) {
        expect(await ok(`${line} -n short`)).toContain(told)
      }
      expect(await ok('expose deploy made --port=80 --name=front -n short')).toBe('service/front exposed')
      expect(await fails('create configmap made -n short')).toMatch(/configmaps? "made" already exists/)
      expect(await fails('create configmap Made -n short')).toContain('metadata.name: Invalid value: "Made"')
      expect(await ok('delete namespace short --timeout=10s')).toBe('namespace "short" deleted')
      expect(await fails('get cm -n short made')).toContain('not found')
    })

    test('apply, by the client', async () => {
      expect(await ok(['apply', ...file], web())).toBe('deployment.apps/web unchanged\nservice/web unchanged')
      expect(await fails(['diff', ...file], web('web:2'))).toMatch(/-.*web:1\n\+.*web:2/)
      expect(await ok(['apply', '--dry-run=server', ...file], web('web:2'))).toContain('deployment.apps/web configured (server dry run)')
      expect(await ok(['apply', ...file], web('web:2'))).toBe('deployment.apps/web configured\nservice/web unchanged')
      expect(await get('deploy web -o jsonpath={.spec.template.spec.containers[0].image}')).toBe('web:2')
      expect(await ok('apply view-last-applied deploy/web')).toContain('image: web:2')
      expect(await fails(['apply', ...file], web('web:2', -1))).toContain('spec.replicas: Invalid value: -1')
    })

    test('apply, by the server', async () => {
      expect(await ok(['apply', '--server-side', ...file], map('{a: "1"}'))).toBe('configmap/shared serverside-applied')
      expect(await ok(['apply', '--server-side', '--field-manager=other', ...file], map('{b: "2"}'))).toBe('configmap/shared serverside-applied')
      expect(await get('cm shared -o jsonpath={.data}')).toBe('{"a":"1","b":"2"}')
      expect(await fails(['apply', '--server-side', '--field-manager=other', ...file], map('{a: "9"}'))).toContain('conflict with "kubectl')
      expect(await ok(['apply', '--server-side', '--force-conflicts', '--field-manager=other', ...file], map('{a: "9"}'))).toBe('configmap/shared serverside-applied')
      expect(await get('cm shared -o jsonpath={.data}')).toBe('{"a":"9"}')
    })

    test('changes of one field', async () => {
      expect(await ok('label deploy web tier=front')).toBe('deployment.apps/web labeled')
      expect(await fails('label deploy web tier=back')).toMatch(/--overwrite is false/)
      expect(await ok('annotate deploy web note=here')).toContain('deployment.apps/web annotate')
      expect(await ok('scale deploy web --replicas=3')).toBe('deployment.apps/web scaled')
      expect(await ok('patch deploy web -p {"spec":{"replicas":4}}')).toBe('deployment.apps/web patched')
      expect(await ok('patch deploy web --type=merge -p {"metadata":{"labels":{"tier":null}}}')).toBe('deployment.apps/web patched')
      expect(await ok('patch deploy web --type=json -p [{"op":"replace","path":"/spec/replicas","value":5}]')).toBe('deployment.apps/web patched')
      expect(await ok('set env deploy/web A=1')).toBe('deployment.apps/web env updated')
      expect(await ok('set resources deploy/web --requests=cpu=10m')).toContain('resource requirements updated')
      expect(await get('deploy web -o jsonpath={.spec.replicas},{.metadata.labels},{.spec.template.spec.containers[0].env[0].value}')).toBe('5,{"app":"web"},1')
      expect(await ok('autoscale deploy web --max=9')).toContain('horizontalpodautoscaler.autoscaling/web autoscaled')
    })

    test('revisions', async () => {
      expect(await ok('set image deploy/web web=web:3')).toBe('deployment.apps/web image updated')
      await expect.poll(() => ok('rollout history deploy web'), { timeout: 10_000 }).toMatch(/^2 /m)
      expect(await ok('rollout undo deploy web')).toBe('deployment.apps/web rolled back')
      expect(await ok('rollout pause deploy web')).toBe('deployment.apps/web paused')
      expect(await ok('rollout resume deploy web')).toBe('deployment.apps/web resumed')
      expect(await ok('rollout restart deploy web')).toBe('deployment.apps/web restarted')
      expect(await fails('rollout status deploy web --timeout=1s')).toMatch(/timed out|Waiting for deployment/)
    })

    test('kinds that somebody defines', async () => {
      expect(await ok(['apply', ...file], crd)).toContain('customresourcedefinition.apiextensions.k8s.io/boats.example.com created')
      await ok('wait --for=condition=Established crd/boats.example.com --timeout=10s')
      const boat = (seats: string): string => `apiVersion: example.com/v1\nkind: Boat\nmetadata: {name: b}\nspec: {seats: ${seats}}`
      expect(await ok(['apply', ...file], boat('2'))).toBe('boat.example.com/b created')
      expect(await fails(['apply', ...file], boat('0'))).toContain('spec.seats: Invalid value')
      expect(await ok('edit boat b')).toBe('boat.example.com/b edited')
      expect(await get('boats -o jsonpath={.items[*].spec.seats}')).toBe('3')
      expect(await ok('explain boat.spec.seats')).toMatch(/FIELD: +seats <integer>/)
      expect(await ok('delete crd boats.example.com')).toContain('"boats.example.com" deleted')
    })

    test('nodes, and the end of things', async () => {
      await stage.trial.api.create('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } })
      expect(await ok('cordon n1')).toBe('node/n1 cordoned')
      expect(await get('node n1')).toContain('SchedulingDisabled')
      expect(await ok('uncordon n1')).toBe('node/n1 uncordoned')
      expect(await ok('taint node n1 a=b:NoSchedule')).toBe('node/n1 tainted')
      expect(await ok('drain n1')).toContain('node/n1')
      expect(await fails('top node')).toMatch(/metrics not available|Metrics not available/)
      expect(await fails('logs deploy/web')).toMatch(/does not have a host assigned|timed out|no pods|ContainerCreating/)
      expect(await ok(['delete', ...file], web())).toBe('deployment.apps "web" deleted\nservice "web" deleted')
      await expect.poll(() => get('rs,pods -o name'), { timeout: 10_000 }).toBe('')
      expect(await ok('delete cm shared --wait=false')).toBe('configmap "shared" deleted')
    })
  })
})

/**
 * What people try first on a cluster that they made themselves, command by command: the smoke test that ends "Kubernetes the hard
 * way", with the demo's image and port, as no image is pulled here. And a command in a container by somebody who is no administrator.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { echoImageName } from '../../cli/lab/image/image.ts'
import { freePorts } from '../kit/etcd.ts'
import { bytesOf } from '../kit/hexdump.ts'
import { waitFor } from '../kit/wait.ts'

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A lab that is up. */
export interface SmokeLab {
  /** Where the hub's folder is. */
  readonly stateDir: string
  readonly url: string
  readonly kubeconfig: string
  readonly run: (file: string, args: readonly string[]) => Promise<Ended>
  readonly inNode: (node: string, ...argv: readonly string[]) => Promise<Ended>
}

export function smokeSuite({ stateDir, url, kubeconfig, run, inNode }: SmokeLab): void {
  const kubectl = async (...args: readonly string[]): Promise<string> => {
    const { code, out, err } = await run('kubectl', args)
    expect(code, `kubectl ${args.join(' ')}: ${err}`).toBe(0)
    return out.trim()
  }
  const podName = () => kubectl('get', 'pods', '-l', 'app=nginx', '-o', 'jsonpath={.items[0].metadata.name}')

  describe('the smoke test', () => {
    test('a secret cannot be read on the disk', async () => {
      await kubectl('create', 'secret', 'generic', 'kubernetes-the-hard-way', '--from-literal=mykey=mydata')
      await kubectl('create', 'configmap', 'beside-it', '--from-literal=mykey=plain-to-see')
      const files = readdirSync(join(stateDir, 'hub')).filter((name) => name.startsWith('wherry.db'))
      const { out } = await run('hexdump', ['-C', '-v', ...files.map((name) => join(stateDir, 'hub', name))])
      const bytes = bytesOf(out).toString('latin1')
      expect(bytes).toContain('k8s:enc:aesgcm:v1:key1:')
      expect(bytes).toContain('plain-to-see')
      for (const word of ['mydata', Buffer.from('mydata').toString('base64')]) expect(bytes).not.toContain(word)
      expect(await kubectl('get', 'secret', 'kubernetes-the-hard-way', '-o', 'jsonpath={.data.mykey}')).toBe('bXlkYXRh')
    })

    test('a deployment', async () => {
      expect(await kubectl('create', 'deployment', 'nginx', `--image=${echoImageName}`)).toBe('deployment.apps/nginx created')
      await kubectl('rollout', 'status', 'deployment', 'nginx', '--timeout=60s')
      expect(await kubectl('get', 'pods', '-l', 'app=nginx')).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE\nnginx-\S+ +1\/1 +Running +0 /)
    }, 90_000)

    test('port forwarding, and curl', async () => {
      const [local] = await freePorts()
      const forward = spawn('kubectl', ['port-forward', await podName(), `${local}:8080`], { env: { ...process.env, KUBECONFIG: kubeconfig } })
      const ended = once(forward, 'close')
      let said = ''
      for (const stream of [forward.stdout, forward.stderr]) stream.on('data', (d) => (said += String(d)))
      try {
        await waitFor('kubectl to forward', () => said.includes(`Forwarding from 127.0.0.1:${local} -> 8080`))
        expect((await run('curl', ['--silent', '--head', '--max-time', '5', `http://127.0.0.1:${local}`])).out).toMatch(/^HTTP\/1.1 200 OK/)
      } finally {
        forward.kill()
        await ended
      }
    })

    test('logs', async () => {
      const pod = await podName()
      await waitFor('the request in the log', async () => (await kubectl('logs', pod)).includes('HEAD from 127.0.0.1'))
    })

    test('exec', async () => {
      const pod = await podName()
      expect(await kubectl('exec', '-ti', pod, '--', 'hostname')).toBe(pod)
    })

    test('a NodePort, and curl from another node', async () => {
      await kubectl('expose', 'deployment', 'nginx', '--port', '80', '--target-port', '8080', '--type', 'NodePort')
      const port = await kubectl('get', 'svc', 'nginx', '--output=jsonpath={range .spec.ports[0]}{.nodePort}')
      const node = await kubectl('get', 'pods', '-l', 'app=nginx', '-o', 'jsonpath={.items[0].spec.nodeName}')
      const address = await kubectl('get', 'node', node, '-o', 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}')
      const other = node === 'node1' ? 'node2' : 'node1'
      const curl = () => inNode(other, 'curl', '--silent', '-I', '--max-time', '5', `http://${address}:${port}`)
      await waitFor('the node port to answer', async () => (await curl()).out.startsWith('HTTP/1.1 200 OK'))
    })
  })

  test('a command in a container needs a role, and no more than that', async () => {
    const pod = await podName()
    await kubectl('create', 'serviceaccount', 'visitor')
    const token = await kubectl('create', 'token', 'visitor')
    const visitor = (...args: readonly string[]): Promise<Ended> =>
      run('kubectl', ['--kubeconfig', '/dev/null', '--server', url, '--certificate-authority', join(stateDir, 'hub/pki/ca.crt'), '--token', token, ...args])
    const words = (verb: string, resource: string): string =>
      `pods "${pod}" is forbidden: User "system:serviceaccount:default:visitor" cannot ${verb} resource "${resource}" in API group "" in the namespace "default"`
    const exec = () => visitor('exec', pod, '--', 'hostname')
    const refused = (verb: string, resource: string) => ({ code: 1, out: '', err: `Error from server (Forbidden): ${words(verb, resource)}\n` })

    expect(await exec()).toEqual(refused('get', 'pods'))
    await kubectl('create', 'role', 'look', '--verb=get,list', '--resource=pods')
    await kubectl('create', 'rolebinding', 'look', '--role=look', '--serviceaccount=default:visitor')
    expect((await visitor('get', 'pods', '-o', 'name')).out).toContain(`pod/${pod}`)
    expect(await exec()).toEqual(refused('create', 'pods/exec'))
    await kubectl('create', 'role', 'exec', '--verb=create', '--resource=pods/exec')
    await kubectl('create', 'rolebinding', 'exec', '--role=exec', '--serviceaccount=default:visitor')
    expect(await exec()).toEqual({ code: 0, out: `${pod}\n`, err: '' })
    expect((await visitor('logs', pod)).err).toBe(`Error from server (Forbidden): ${words('get', 'pods/log')}\n`)
    expect((await visitor('delete', 'pod', pod)).err).toContain(words('delete', 'pods'))
  })

  test('and everything goes again', async () => {
    await kubectl('delete', 'rolebinding/look', 'rolebinding/exec', 'role/look', 'role/exec', 'serviceaccount/visitor')
    await kubectl('delete', 'service/nginx', 'deployment/nginx', 'secret/kubernetes-the-hard-way', 'configmap/beside-it')
    await waitFor('the pods to be gone', async () => (await kubectl('get', 'pods', '-l', 'app=nginx', '-o', 'name')) === '', 60_000)
  }, 90_000)
}

import { expect, test } from 'vitest'
import type { Pod, Service } from '../../api/objects.ts'
import { serviceVariables } from './service-env.ts'

const service = (name: string, clusterIP = '10.96.0.7', namespace = 'shop'): Service =>
  ({ metadata: { name, namespace }, spec: { clusterIP, ports: [{ name: 'http', port: 80 }, { port: 53, protocol: 'UDP' }] } }) as unknown as Service
const kubernetes = { metadata: { name: 'kubernetes', namespace: 'default' }, spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] } } as unknown as Service
const pod = (spec: object = {}): Pod => ({ metadata: { name: 'p', namespace: 'shop' }, spec }) as unknown as Pod
const of = (services: readonly Service[], spec: object = {}) => Object.fromEntries(serviceVariables(pod(spec), services).map((v) => [v.name, v.value]))

test('a service of the namespace, by the names that programs know', () => {
  expect(of([service('my-web'), service('other', '10.96.0.8', 'elsewhere')])).toEqual({
    MY_WEB_SERVICE_HOST: '10.96.0.7',
    MY_WEB_SERVICE_PORT: '80',
    MY_WEB_SERVICE_PORT_HTTP: '80',
    MY_WEB_PORT: 'tcp://10.96.0.7:80',
    MY_WEB_PORT_80_TCP: 'tcp://10.96.0.7:80',
    MY_WEB_PORT_80_TCP_PROTO: 'tcp',
    MY_WEB_PORT_80_TCP_PORT: '80',
    MY_WEB_PORT_80_TCP_ADDR: '10.96.0.7',
    MY_WEB_PORT_53_UDP: 'udp://10.96.0.7:53',
    MY_WEB_PORT_53_UDP_PROTO: 'udp',
    MY_WEB_PORT_53_UDP_PORT: '53',
    MY_WEB_PORT_53_UDP_ADDR: '10.96.0.7',
  })
})

test('the API is told to all, also to those who want no other links', () => {
  const found = of([kubernetes, service('web')], { enableServiceLinks: false })
  expect(found).toMatchObject({ KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443', KUBERNETES_SERVICE_PORT_HTTPS: '443' })
  expect(Object.keys(found).filter((name) => name.startsWith('WEB'))).toEqual([])
})

test('services without an address are not told, and not those of a namespace that has too many', () => {
  expect(of([service('headless', 'None')])).toEqual({})
  const many = Array.from({ length: 1_001 }, (_, i) => service(`s${i}`))
  expect(Object.keys(of([kubernetes, ...many])).every((name) => name.startsWith('KUBERNETES_'))).toBe(true)
  expect(Object.keys(of(many.slice(1))).length).toBe(12_000)
})

test('an IPv6 address stands in brackets in a URL', () => {
  expect(of([service('web', 'fd00::7')])).toMatchObject({ WEB_SERVICE_HOST: 'fd00::7', WEB_PORT: 'tcp://[fd00::7]:80' })
})

import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { makeCa } from './certificate.ts'
import { kubeconfig } from './kubeconfig.ts'

test('the kubeconfig holds all that is needed, each value on one line', () => {
  const [ca, admin] = [makeCa(0), makeCa(0)]
  const text = kubeconfig({ server: 'https://127.0.0.1:6443', ca: ca.certificate, user: 'jane', certificate: admin })
  const config = parse(text) as Record<string, never>
  const decode = (data: string): string => Buffer.from(data, 'base64').toString()
  const [{ cluster }] = config['clusters'] as unknown as [{ cluster: Record<string, string> }]
  const [{ name, user }] = config['users'] as unknown as [{ name: string; user: Record<string, string> }]
  expect(cluster['server']).toBe('https://127.0.0.1:6443')
  expect(decode(cluster['certificate-authority-data']!)).toBe(ca.certificate)
  expect(decode(user['client-certificate-data']!)).toBe(admin.certificate)
  expect(decode(user['client-key-data']!)).toBe(admin.key)
  expect(config['contexts']).toEqual([{ name: config['current-context'], context: { cluster: 'wherry', user: name } }])
  expect(name).toBe('jane')
  expect(text.split('\n').length).toBeLessThan(25)
})

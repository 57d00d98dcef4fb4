import { afterEach, beforeEach, expect, test } from 'vitest'
import { startTrial } from '../../test/kit/trial.ts'
import type { Trial } from '../../test/kit/trial.ts'

let trial: Trial
beforeEach(async () => {
  trial = await startTrial()
})
afterEach(() => trial.close())

interface Index {
  readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>
}
interface Document3 {
  readonly components: { readonly schemas: Readonly<Record<string, { readonly properties?: Readonly<Record<string, unknown>> }>> }
}

test('what a client has it is not sent again: discovery in one piece, and the documents', async () => {
  const v2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  for (const [path, accept] of [['/api', v2], ['/apis', v2], ['/openapi/v2', 'application/json'], ['/openapi/v3', 'application/json'], ['/openapi/v3/api/v1', 'application/json']]) {
    const first = await trial.api.send('GET', path!, { headers: { accept } })
    expect([path, first.code]).toEqual([path, 200])
    const again = await trial.api.send('GET', path!, { headers: { accept, 'if-none-match': first.headers.etag } })
    expect([path, again.code, again.text]).toEqual([path, 304, ''])
    expect((await trial.api.send('GET', path!, { headers: { accept, 'if-none-match': '"other"' } })).code).toBe(200)
  }
})

test('the address in the index lasts; that of another version leads to it', async () => {
  const { paths } = await trial.api.get<Index>('/openapi/v3')
  const { serverRelativeURL: url } = paths['apis/apps/v1']!
  const found = await trial.api.send('GET', url)
  expect([found.code, found.headers['cache-control']]).toEqual([200, 'public, immutable, max-age=31536000'])
  const old = await trial.api.send('GET', '/openapi/v3/apis/apps/v1?hash=0')
  expect([old.code, old.headers.location]).toEqual([301, url])
  expect((await trial.api.send('GET', '/openapi/v3/apis/apps/v1')).headers['cache-control']).toBe('no-cache, private')
})

test('a field says what it is also where its type is another one', async () => {
  const { schemas } = (await trial.api.get<Document3>('/openapi/v3/apis/apps/v1')).components
  const prefix = '#/components/schemas/io.k8s.apimachinery.pkg.'
  expect(schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta']!.properties!.creationTimestamp).toMatchObject({
    allOf: [{ $ref: `${prefix}apis.meta.v1.Time` }],
    description: expect.stringContaining('CreationTimestamp is a timestamp') as string,
  })
  expect(schemas['io.k8s.apimachinery.pkg.apis.meta.v1.Time']).toMatchObject({ type: 'string', format: 'date-time' })
  expect(schemas['io.k8s.apimachinery.pkg.api.resource.Quantity']).toMatchObject({ oneOf: [{ type: 'string' }, { type: 'number' }] })
  expect(schemas['io.k8s.apimachinery.pkg.util.intstr.IntOrString']).not.toHaveProperty('type')
})

/** Whatever a client sends, the answer is an object or a Status that blames the client. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KubeObject } from '../../api/objects.ts'
import { apiVersionOf, resourceKinds, type ResourceKind } from '../../api/resources.ts'
import { StatusError } from '../../api/status.ts'
import fields from '../admit/fields.json' with { type: 'json' }
import { drafts } from '../../test/kit/kinds.ts'
import { customResourceDefinition } from '../../test/kit/custom.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, type Inside } from '../../test/kit/registry.ts'
import type { Ref } from '../store/store.ts'
import type { Draft } from './registry.ts'

const types: Readonly<Record<string, Readonly<Record<string, string>>>> = fields

/** Values that reach far: nearly right ones, and what people mistype. */
const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    'a',
    'web-1',
    '10.0.0.1',
    '::',
    '1Gi',
    '-1',
    '',
    '50%',
    'TCP',
    'None',
    'ClientIP',
    'NodePort',
    'ExternalName',
    'In',
    'Exists',
    'IPv4',
    'NoExecute',
    'Local',
    'eA==',
  ),
  fc.constantFrom<unknown>(0, 1, 80, -1, 1.5, 30000, 1e21, true, false, null, '2026-01-01T00:00:00Z', '__proto__'),
  fc.jsonValue({ maxDepth: 2 }),
)

/** A value for a code of the table of fields; mostly of the right shape, each field there or not. */
function valueFor(code: string, depth: number): fc.Arbitrary<unknown> {
  if (depth <= 0 || code === '' || code === '!') return leaf
  const odd = { arbitrary: leaf, weight: 1 }
  if (code.startsWith('['))
    return fc.oneof(odd, { arbitrary: fc.array(valueFor(code.slice(1), depth - 1), { maxLength: 2 }), weight: 12 })
  if (code.startsWith('{'))
    return fc.oneof(odd, {
      arbitrary: fc.dictionary(fc.constantFrom('app', 'cpu', 'a b', '__proto__'), leaf, { maxKeys: 2 }),
      weight: 12,
    })
  return fc.oneof(odd, { arbitrary: objectFor(code, depth), weight: 12 })
}

function objectFor(type: string, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const names = Object.keys(types[type]!)
  return fc
    .subarray(names, { maxLength: Math.min(6, names.length) })
    .chain((chosen) => fc.record(Object.fromEntries(chosen.map((f) => [f, valueFor(types[type]![f]!, depth - 1)]))))
}

const valid = new Map(
  [
    kit.namespace(),
    kit.node(),
    kit.pod(),
    kit.service(),
    kit.endpoints(),
    kit.configMap(),
    kit.secret(),
    kit.serviceAccount(),
    kit.event(),
    kit.deployment(),
    kit.replicaSet(),
    kit.endpointSlice(),
    kit.lease(),
    kit.role(),
    kit.certificateSigningRequest(),
    kit.clusterRole(),
    kit.roleBinding(),
    kit.clusterRoleBinding(),
    customResourceDefinition(),
    ...drafts,
  ].map((draft) => [String(draft.kind), { ...draft, metadata: {} }] as const),
)

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A valid object with parts of another: what is required is there, and much else. */
function blended(base: unknown, part: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(part)) return part.map((item: unknown) => blended(base[0], item))
  if (!isPlain(base) || !isPlain(part)) return part
  return Object.fromEntries(
    [...new Set([...Object.keys(base), ...Object.keys(part)])].map((k) => [k, k in part ? blended(base[k], part[k]) : base[k]]),
  )
}

const draftFor = (kind: ResourceKind): fc.Arbitrary<Draft> =>
  fc
    .tuple(
      objectFor(kind.kind, 6),
      fc.oneof(fc.constant({ name: kind.kind === 'CustomResourceDefinition' ? 'crontabs.stable.example.com' : 'web-1' }), fc.constant({ generateName: 'web-' }), objectFor('ObjectMeta', 3)),
      fc.boolean(),
    )
    .map(([object, metadata, blend]) => ({
      ...(blend ? (blended(valid.get(kind.kind), object) as object) : object),
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      metadata,
    }))

async function answered(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (e) {
    if (!(e instanceof StatusError)) throw e
    expect(e.status.code).toBeGreaterThanOrEqual(400)
    expect(e.status.code).toBeLessThan(500)
    return false
  }
}

/** What was applied is so: to apply it again changes nothing. */
async function applyTwice({ registry }: Inside, ref: Ref, config: Draft): Promise<void> {
  const options = { manager: 'fuzz', force: true }
  const versions: string[] = []
  for (let i = 0; i < 2; i++) {
    await answered(async () => versions.push((await registry.apply(ref, config, options)).object.metadata.resourceVersion))
  }
  expect(versions[1]).toBe(versions[0])
}

/** @returns whether the draft was taken */
async function attempt(inside: Inside, kind: ResourceKind, draft: Draft): Promise<boolean> {
  const namespace = kind.namespaced ? 'default' : ''
  const made = await answered(() => inside.registry.create({ resource: kind.resource, namespace, name: '' }, draft))
  const held = inside.store.list(kind.resource, namespace || undefined).at(-1)
  if (!held) return made
  const ref = { resource: kind.resource, namespace, name: held.metadata.name }
  const wish = (c: KubeObject): Draft => ({
    ...draft,
    metadata: { ...(draft['metadata'] as object), name: c.metadata.name, namespace: c.metadata.namespace },
  })
  await answered(() => inside.registry.update(ref, wish))
  for (const subresource of kind.subresources) await answered(() => inside.registry.update(ref, wish, { subresource }))
  await applyTwice(inside, ref, wish(held))
  await answered(() => inside.registry.remove(ref, { gracePeriodSeconds: 0 }))
  // A definition waits for its objects, of which nobody here takes care.
  await answered(() => inside.registry.update(ref, (c) => ({ ...c, metadata: { ...c.metadata, finalizers: [] } })))
  return made
}

test.each(resourceKinds.map((k) => [k.resource, k] as const))('%s', async (_resource, kind) => {
  const inside = await openInside()
  let made = 0
  try {
    await fc.assert(
      fc.asyncProperty(draftFor(kind), async (draft) => {
        if (await attempt(inside, kind, draft)) made++
      }),
      { numRuns: 200, interruptAfterTimeLimit: 4_000 },
    )
    // Else nothing but the first check would have been tried.
    expect(made).toBeGreaterThan(0)
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue(),
        async (json) =>
          void (await answered(() =>
            inside.registry.create({ resource: kind.resource, namespace: '', name: 'a' }, json as Draft),
          )),
      ),
      { numRuns: 30, interruptAfterTimeLimit: 2_000 },
    )
  } finally {
    await inside.close()
  }
})

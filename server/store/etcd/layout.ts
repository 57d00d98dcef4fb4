/** Where objects are in etcd: the keys under /registry as kube-apiserver lays them out, and their values, JSON that is sealed where its kind is. */
import type { KubeObject } from '../../../api/objects.ts'
import { customResource, isBuiltIn, resourceKinds, type Resource } from '../../../api/resources.ts'
import type { Seal } from '../../seal/seal.ts'
import { StoreError } from '../error.ts'
import type { Ref } from '../store.ts'

export const root = '/registry/'

/** Where kube-apiserver's folder is not the plural name. */
const named: Readonly<Record<string, string>> = {
  services: 'services/specs',
  endpoints: 'services/endpoints',
  nodes: 'minions',
  replicationcontrollers: 'controllers',
  'ingresses.networking.k8s.io': 'ingress',
  'customresourcedefinitions.apiextensions.k8s.io': 'apiextensions.k8s.io/customresourcedefinitions',
}
/** Groups without a dot, and these, are Kubernetes' own: their kinds stand beside those of the core. */
const ownGroup = /^[^.]*$|^[a-z]+(\.[a-z]+)*\.k8s\.io$/

/** `minions`, `deployments`, or with its group where somebody else defined it: `stable.example.com/crontabs`. */
export function folderOf(resource: Resource): string {
  const dot = resource.indexOf('.')
  const [plural, group] = dot < 0 ? [resource, ''] : [resource.slice(0, dot), resource.slice(dot + 1)]
  return named[resource] ?? (isBuiltIn(resource) && ownGroup.test(group) ? plural : `${group}/${plural}`)
}

const byFolder: ReadonlyMap<string, Resource> = new Map(resourceKinds.map((k) => [folderOf(k.resource), k.resource]))

export function keyOf({ resource, namespace, name }: Ref): string {
  return `${root}${folderOf(resource)}/${namespace === '' ? '' : `${namespace}/`}${name}`
}

/** A group of a kind that somebody defined: it has a dot, as no folder of Kubernetes' own kinds has. */
const customGroup = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$/

/**
 * The object that a key names; undefined for keys of something else. Objects of kinds that somebody defined are known by their keys
 * alone, whether this hub has heard of their definition yet or not.
 */
export function refOf(key: string): Ref | undefined {
  if (!key.startsWith(root)) return undefined
  const parts = key.slice(root.length).split('/')
  for (const depth of [2, 1]) {
    const resource = byFolder.get(parts.slice(0, depth).join('/'))
    const rest = parts.slice(depth)
    if (!resource || rest.length < 1 || rest.length > 2 || rest.includes('')) continue
    return rest.length === 2 ? { resource, namespace: rest[0]!, name: rest[1]! } : { resource, namespace: '', name: rest[0]! }
  }
  const [group = '', plural = '', ...rest] = parts
  if (!customGroup.test(group) || byFolder.has(`${group}/${plural}`) || parts.includes('') || rest.length < 1 || rest.length > 2) return undefined
  const [first = '', second] = rest
  const resource = customResource(plural, group)
  return second === undefined ? { resource, namespace: '', name: first } : { resource, namespace: first, name: second }
}

/** Where a word that one object alone may hold is noted; the value is the key of who holds it. */
export function wordKeyOf(word: string): string {
  return `${root}ranges/${word}`
}

/** The revision is etcd's own and not written. */
export function encodeObject(seal: Seal, ref: Ref, object: KubeObject): Buffer {
  const { resourceVersion: _etcds, ...metadata } = object.metadata
  return sealedValue(seal, ref, JSON.stringify({ ...object, metadata }))
}

/**
 * @throws StoreError STORE_BROKEN for what this hub did not write, such as kube-apiserver's protobuf; SealError SEAL_BROKEN for
 * what it cannot open
 */
export function decodeObject(seal: Seal, ref: Ref, value: Uint8Array): KubeObject {
  const text = openedValue(seal, ref, Buffer.from(value))
  try {
    const object = JSON.parse(text) as KubeObject
    if (typeof object.metadata.name === 'string') return object
  } catch {
    // said below
  }
  throw new StoreError('STORE_BROKEN', `the value of ${keyOf(ref)} in etcd is no object in JSON; if another API server wrote it, use an etcd of your own`)
}

/** A value anew with the first key; undefined where that one sealed it already, or its kind is not sealed. @throws as `decodeObject` */
export function resealed(seal: Seal, ref: Ref, value: Buffer): Buffer | undefined {
  const done = seal.prefix === '' || !seal.resources.includes(ref.resource) || value.subarray(0, seal.prefix.length).equals(Buffer.from(seal.prefix))
  return done ? undefined : sealedValue(seal, ref, openedValue(seal, ref, value))
}

/** A text as it lies in etcd. */
export const sealedValue = (seal: Seal, ref: Ref, text: string): Buffer => packed(seal.seal(ref, text))
/** @throws SealError SEAL_BROKEN */
export const openedValue = (seal: Seal, ref: Ref, value: Buffer): string => seal.open(ref, unpacked(value))

const sealedHead = /^k8s:enc:[^:]*:[^:]*:[^:]*:/

/** Bytes where the seal has base64: etcd takes no more than 1.5 MiB at once, and a Secret may have 1 MiB. */
function packed(text: string): Buffer {
  const head = sealedHead.exec(text)?.[0]
  return head === undefined ? Buffer.from(text) : Buffer.concat([Buffer.from(head), Buffer.from(text.slice(head.length), 'base64')])
}

function unpacked(value: Buffer): string {
  // No head is longer: the name of a key has 63 characters.
  const head = sealedHead.exec(value.subarray(0, 128).toString('latin1'))?.[0]
  return head === undefined ? value.toString('utf8') : head + value.subarray(head.length).toString('base64')
}

/** The verb `create`. */
import { rfc3339 } from '../../api/clock.ts'
import type { KubeObject, Namespace, Service } from '../../api/objects.ts'
import { kindOf, type ResourceKind } from '../../api/resources.ts'
import { alreadyExists, badRequest, invalid, notFound, StatusError } from '../../api/status.ts'
import type { Claim } from '../admit/allocators.ts'
import { forbidden } from '../admit/causes.ts'
import { namespaceFinalizer } from '../admit/defaults/defaults.ts'
import { withClusterIPs } from '../admit/defaults/service.ts'
import { customOf, storedAs } from '../custom/kind.ts'
import type { Operation } from '../managed/entries.ts'
import { afterUpdate, applied } from '../managed/track.ts'
import type { Ref, Store } from '../store/store.ts'
import { soleDefault, withClasses } from './classes.ts'
import { commit, kindOfDraft, timeOf, withEntries, writerOf, type RegistryDeps } from './deps.ts'
import { checked, ownMeta, statedIn, type Checked } from './draft.ts'
import { definitionOpen, withStatus } from './definitions.ts'
import { firstStatus, keepsStatus } from './first-status.ts'
import { generateName } from './names.ts'
import type { Draft, Registry, WriteOptions } from './registry.ts'
import { defaulted, faultsOf, generationAtBirth } from './rules.ts'
import { createStructures } from './structures.ts'

/** Generated names are tried so often before the client hears that they are taken. */
const maxTries = 8

/** @param operation by which the fields of the draft come to be */
export function createVerb(deps: RegistryDeps, operation: Operation = 'Update'): Registry['create'] {
  const structureOf = createStructures()
  return async (ref, draft, options = {}) => {
    const of = kindOfDraft(deps, ref, draft)
    const wish = checked({ of, structure: await structureOf(of) }, ref, draft, keepsStatus(of) ? [] : ['status'])
    if (wish.metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created')
    const given = ref.name || wish.metadata.name || ''
    for (let tried = 1; ; tried++) {
      const name = given || (wish.metadata.generateName ? generateName(wish.metadata.generateName, deps.random) : '')
      try {
        return await write(deps, { ...ref, name }, { of, wish, draft, operation }, options)
      } catch (e) {
        const again = given === '' && tried < maxTries && e instanceof StatusError && e.status.reason === 'AlreadyExists'
        if (!again) throw e
      }
    }
  }
}

interface Birth {
  /** In the version of the draft. */
  readonly of: ResourceKind
  readonly wish: Checked
  /** As it was sent. */
  readonly draft: Draft
  readonly operation: Operation
}

async function write(deps: RegistryDeps, ref: Ref, birth: Birth, options: WriteOptions): Promise<KubeObject> {
  const { of } = birth
  const own = born(deps, ref, birth)
  const fresh = withClasses(deps.store, ref, (await deps.accounts?.(ref, own)) ?? own)
  const causes = [...scopeCauses(of, ref), ...faultsOf(of, fresh)]
  if (causes.length > 0) throw invalid(of, ref.name, causes)
  soleDefault(deps.store, ref, fresh)
  const object = { ...withManagers(deps, fresh, birth, options), ...firstStatus(ref.resource, fresh) }
  const claim = ref.resource === 'services' ? deps.allocators.claim() : undefined
  try {
    const stored = await commit(
      deps,
      ref,
      (current) => {
        if (of.namespaced) namespaceOpen(deps.store, of, ref)
        if (customOf(of)) definitionOpen(deps.store, of)
        if (current) throw alreadyExists(of, ref.name)
        return { put: claim ? filled(of, object, claim) : withStatus(deps, ref, storedAs(of, object)) }
      },
      options,
    )
    if (options.dryRun) claim?.abandon()
    else claim?.settle(Number(stored.metadata.resourceVersion))
    deps.log.debug('an object was created', {
      resource: ref.resource,
      namespace: ref.namespace,
      name: ref.name,
      dryRun: options.dryRun ?? false,
    })
    return options.dryRun ? withoutRevision(stored) : stored
  } catch (e) {
    claim?.abandon()
    throw e
  }
}

/** What an update creates belongs to it with its defaults; what an apply creates, as far as it was named. */
function withManagers(deps: RegistryDeps, fresh: KubeObject, { of, draft, operation }: Birth, options: WriteOptions): KubeObject {
  const writer = writerOf({ of, operation }, options)
  const time = timeOf(deps)
  if (operation === 'Apply') return withEntries(fresh, applied({ of, config: draft, writer, force: false, time }).entries)
  const after = fresh as unknown as Readonly<Record<string, unknown>>
  return withEntries(fresh, afterUpdate({ of, after, writer, stated: statedIn(of, draft), time }))
}

/** The wish as a new object with its defaults. */
function born(deps: RegistryDeps, ref: Ref, { of, wish }: Birth): KubeObject {
  const { generateName: prefix } = wish.metadata
  const generation = generationAtBirth(of)
  const metadata = {
    name: ref.name,
    ...(prefix && { generateName: prefix }),
    ...(ref.namespace && { namespace: ref.namespace }),
    uid: deps.uuid(),
    resourceVersion: '',
    ...(generation && { generation }),
    creationTimestamp: rfc3339(deps.clock.now()),
    ...ownMeta(wish.metadata),
  }
  const object = defaulted(of, { ...wish, metadata })
  if (ref.resource !== 'namespaces') return object
  const { spec } = object as Namespace
  return { ...object, spec: { ...spec, finalizers: [...new Set([...(spec?.finalizers ?? []), namespaceFinalizer])] } }
}

function scopeCauses(of: ResourceKind, ref: Ref) {
  if (of.namespaced || ref.namespace === '') return []
  return [forbidden('metadata.namespace', `not allowed on this type: a ${of.kind} belongs to the whole cluster`)]
}

/** @throws StatusError NotFound, or Forbidden with the cause by which clients know it */
function namespaceOpen(store: Store, of: ResourceKind, ref: Ref): void {
  const namespace = store.get({ resource: 'namespaces', namespace: '', name: ref.namespace })
  if (!namespace) throw notFound(kindOf('namespaces'), ref.namespace)
  if (!namespace.metadata.deletionTimestamp) return
  const plural = of.group ? `${of.plural}.${of.group}` : of.plural
  const causes = [
    { reason: 'NamespaceTerminating', field: 'metadata.namespace', message: `namespace ${ref.namespace} is being terminated` },
  ] as const
  throw new StatusError(
    'Forbidden',
    `${plural} ${JSON.stringify(ref.name)} is forbidden: ` +
      `unable to create new content in namespace ${ref.namespace} because it is being terminated`,
    { name: ref.name, ...(of.group && { group: of.group }), kind: of.plural, causes },
  )
}

/** The service with its address and ports. @throws StatusError Invalid */
export function filled(of: ResourceKind, object: KubeObject, claim: Claim, before?: KubeObject): KubeObject {
  const service = claim.fill(object as Service, before as Service | undefined)
  if (!('metadata' in service)) throw invalid(of, object.metadata.name, service)
  return { ...service, spec: withClusterIPs(service.spec!) } as KubeObject
}

/** What was not written has no revision. */
function withoutRevision(object: KubeObject): KubeObject {
  const { resourceVersion: _none, ...metadata } = object.metadata
  return { ...object, metadata: metadata as KubeObject['metadata'] }
}

// TEMP
import { randomUUID } from 'node:crypto'
import { alreadyExists, notFound, conflict } from '../../api/status.ts'
import { kindOf } from '../../api/resources.ts'
export function stubRegistry(store: any): any {
 return {
  async create(ref: any, draft: any, o: any = {}) {
    const name = ref.name || `${draft.metadata.generateName}${Math.random().toString(36).slice(2, 7)}`
    const obj = { ...draft, metadata: { ...draft.metadata, name, uid: randomUUID(), creationTimestamp: '2030-01-01T00:00:00Z', generation: 1 } }
    if (o.dryRun) return { ...obj, metadata: { ...obj.metadata, resourceVersion: '' } }
    return (await store.write({ ...ref, name }, (c: any) => { if (c) throw alreadyExists(kindOf(ref.resource), name); return { put: obj } }))!
  },
  async update(ref: any, change: any, o: any = {}) {
    let out: any
    const r = await store.write(ref, (c: any) => {
      if (!c) throw notFound(kindOf(ref.resource), ref.name)
      const w = change(c)
      if (w.metadata.resourceVersion && w.metadata.resourceVersion !== c.metadata.resourceVersion) throw conflict(kindOf(ref.resource), ref.name, 'the object has been modified; please apply your changes to the latest version and try again')
      const next = o.subresource === 'status' ? { ...c, status: w.status } : { ...w, status: c.status }
      next.metadata = { ...next.metadata, uid: c.metadata.uid, creationTimestamp: c.metadata.creationTimestamp }
      out = next
      if (o.dryRun) return { keep: true }
      return JSON.stringify(next) === JSON.stringify(c) ? { keep: true } : { put: next }
    })
    return o.dryRun ? out : r
  },
  async remove(ref: any, o: any = {}) {
    const r = await store.write(ref, (c: any) => { if (!c) throw notFound(kindOf(ref.resource), ref.name); return o.dryRun ? { keep: true } : { remove: true } })
    return { object: r!, gone: true }
  },
 }
}

/**
 * What the hub must hear even if a connection breaks at the wrong moment. What is on its way when that happens is lost without
 * a word, so the latest of each thing is kept and told again after every welcome; the hub sees that it knows it already.
 */
import type { AckFrame, HubFrame, ReportFrame } from '../../api/frames.ts'
import { keyOf } from '../../api/objects.ts'

export type Told = AckFrame | ReportFrame

export interface Outbox {
  /** Notes what is told; `sent` where a connection takes it now. */
  tell(frame: Told, sent: boolean): void
  /** Watches what the hub sends: a pod that it has deleted needs no report any more. */
  heard(frame: HubFrame): void
  /** What to tell after a welcome, in this order. Waiting events are given once. */
  afterWelcome(): readonly Told[]
}

/** Events that wait for a connection; over it the oldest go. */
const waitingEvents = 256

type PodReport = ReportFrame & { readonly report: { readonly kind: 'pod' | 'podGone' } }

export function createOutbox(): Outbox {
  let ack: AckFrame | undefined
  let node: ReportFrame | undefined
  let events: ReportFrame[] = []
  /** The hub's pods on this node, and what was last told of each, by key. */
  let uids = new Map<string, string>()
  const pods = new Map<string, PodReport>()
  /** During a reset: the pods that have been named again. */
  let named: Map<string, string> | undefined

  const keepPod = (frame: PodReport): void => {
    const { key, uid } = frame.report as { key: string; uid: string }
    // Of a pod that the hub does not have (any more) there is nothing to tell twice.
    if (uids.get(key) === uid) pods.set(key, frame)
  }
  const setPod = (key: string, uid: string): void => {
    if (uids.get(key) !== uid) pods.delete(key)
    uids.set(key, uid)
    named?.set(key, uid)
  }
  const forgetPod = (key: string): void => {
    uids.delete(key)
    named?.delete(key)
    pods.delete(key)
  }

  return {
    tell(frame, sent) {
      if (frame.kind === 'ack') {
        ack = frame
        return
      }
      switch (frame.report.kind) {
        case 'node':
          node = frame
          return
        case 'pod':
        case 'podGone':
          return keepPod(frame as PodReport)
        case 'event':
          if (!sent) events = [...events, frame].slice(-waitingEvents)
          return
        case 'usage':
        case 'podUsage':
        case 'lease':
          // True at their moment only.
          return
      }
    },
    heard(frame) {
      if (frame.kind === 'reset') named = new Map()
      else if (frame.kind === 'set' && frame.resource === 'pods') setPod(keyOf(frame.object), frame.object.metadata.uid)
      else if (frame.kind === 'delete' && frame.resource === 'pods') forgetPod(frame.key)
      else if (frame.kind === 'sync' && named) {
        uids = named
        named = undefined
        for (const key of pods.keys()) if (!uids.has(key)) pods.delete(key)
      }
    },
    afterWelcome() {
      const waiting = events
      events = []
      return [...(node ? [node] : []), ...pods.values(), ...waiting, ...(ack ? [ack] : [])]
    },
  }
}

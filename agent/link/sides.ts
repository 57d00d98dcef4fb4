/** The side links of an agent: one to each hub that it knows of, apart from the hub of its session. */
import { aborted } from '../../api/clock.ts'
import type { AckFrame, ReportFrame } from '../../api/frames.ts'
import { createSide, type Side, type SideDeps } from './side.ts'

export interface SidesDeps extends Omit<SideDeps, 'url' | 'isWanted' | 'onChange'> {
  /** As in `LinkDeps`. */
  readonly urls: readonly string[]
}

export interface Sides {
  /** The agent's session is with the hub at this URL, and `hub` is what the hub calls itself; undefined where it has no others. */
  session(url: string, hub: string | undefined): void
  /** The hubs that the store names. */
  named(urls: readonly string[]): void
  /** Tells the hubs to which a side link stands. */
  tell(frame: ReportFrame): void
  /** Keeps the links up until the signal aborts; resolves when all have ended. */
  run(signal: AbortSignal): Promise<void>
}

/** Side links at a time: more hubs share no etcd that people run. */
const most = 16

/** What is told to all hubs. */
export function isMeasured(frame: AckFrame | ReportFrame): frame is ReportFrame {
  return frame.kind === 'report' && (frame.report.kind === 'usage' || frame.report.kind === 'podUsage')
}

interface Kept {
  readonly side: Side
  readonly ended: Promise<void>
  /** What the hub calls itself, while the link stands. */
  hub?: string | undefined
}

export function createSides(deps: SidesDeps): Sides {
  const { log } = deps
  let signal: AbortSignal | undefined
  let own: { readonly at: string; readonly hub: string } | undefined
  let named: readonly string[] = []
  /** By the origin of the URL. */
  const links = new Map<string, Kept>()
  /** Under which name the hub at an origin answered last: several URLs may lead to one hub. */
  const names = new Map<string, string>()
  let complained = false

  const hubAt = (at: string): string => names.get(at) ?? at
  const known = (): ReadonlyMap<string, string> => new Map([...named, ...deps.urls].map((url) => [originOf(url), url]))
  const isWanted = (at: string): boolean => {
    if (!own || at === own.at || hubAt(at) === own.hub || !known().has(at)) return false
    for (const [other, { hub }] of links) if (other !== at && hub !== undefined && hub === hubAt(at)) return false
    return true
  }

  const start = (at: string, url: string, until: AbortSignal): void => {
    const onChange = (hub: string | undefined): void => {
      const link = links.get(at)!
      link.hub = hub
      if (hub !== undefined) names.set(at, hub)
      else update()
    }
    const side = createSide({ ...deps, url, isWanted: () => isWanted(at), onChange })
    const ended = side.run(until).then(() => {
      links.delete(at)
      update()
    })
    links.set(at, { side, ended })
  }
  /** Begins what is missing; what is too much ends by itself. */
  const update = (): void => {
    if (!signal || signal.aborted) return
    for (const [at, url] of known()) {
      if (links.has(at) || !isWanted(at)) continue
      if (links.size < most) start(at, url, signal)
      else if (!complained) {
        complained = true
        log.warn('there are more hubs than side links', { hub: at, most })
      }
    }
  }

  return {
    session(url, hub) {
      own = hub === undefined ? undefined : { at: originOf(url), hub }
      if (own) names.set(own.at, own.hub)
      update()
    },
    named(urls) {
      named = urls
      update()
    },
    tell(frame) {
      for (const { side } of links.values()) side.tell(frame)
    },
    async run(until) {
      signal = until
      update()
      await aborted(until)
      await Promise.all([...links.values()].map(({ ended }) => ended))
    },
  }
}

const originOf = (url: string): string => new URL(url).origin

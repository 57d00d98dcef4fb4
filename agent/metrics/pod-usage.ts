/** Measured load of the containers of this node, from their cgroups. */
import type { ContainerUsage, NodeReport, PodUsage } from '../../api/frames.ts'
import { readCgroup, type CgroupSource } from './usage.ts'

/** A pod with containers that run, each in a cgroup of its own (absolute path). */
export interface MeasuredPod {
  readonly key: string
  readonly containers: readonly { readonly name: string; readonly cgroup: string }[]
}

export interface PodUsageSampler {
  /** The load since the sample before; undefined the first time. What was not there then is left out: it has no average yet. */
  sample(pods: readonly MeasuredPod[]): Promise<Extract<NodeReport, { kind: 'podUsage' }> | undefined>
}

interface Reading {
  readonly at: number
  readonly cpuMicros: number
}

export function createPodUsage(source: Pick<CgroupSource, 'mount' | 'readFile' | 'now'>): PodUsageSampler {
  /** By cgroup. */
  let before: ReadonlyMap<string, Reading> = new Map()
  let lastAt: number | undefined

  return {
    async sample(pods) {
      const now = new Map<string, Reading>()
      const measure = async ({ name, cgroup }: MeasuredPod['containers'][number]): Promise<readonly ContainerUsage[]> => {
        const reading = await readCgroup({ ...source, path: cgroup })
        if (!reading) return []
        const at = source.now()
        now.set(cgroup, { at, cpuMicros: reading.cpuMicros })
        const last = before.get(cgroup)
        if (!last || at <= last.at) return []
        const micros = Math.max(0, reading.cpuMicros - last.cpuMicros)
        return [{ name, cpuMillis: micros / (at - last.at), memoryBytes: reading.memoryBytes }]
      }
      const measured: PodUsage[] = []
      for (const { key, containers } of pods) {
        const used = (await Promise.all(containers.map(measure))).flat()
        if (used.length === containers.length) measured.push({ key, containers: used })
      }
      const since = lastAt
      before = now
      lastAt = source.now()
      return since === undefined ? undefined : { kind: 'podUsage', windowMs: Math.round(lastAt - since), pods: measured }
    },
  }
}

/** A registry of measurements in Prometheus' text format, version 0.0.4. */

export type Labels = Readonly<Record<string, string>>

export interface Counter {
  add(amount?: number, labels?: Labels): void
}

export interface Gauge {
  set(value: number, labels?: Labels): void
}

export interface Histogram {
  observe(value: number): void
}

export type Shape = 'plain' | 'labelled'

export interface Registry {
  /** A plain one is there from the start, with 0; a labelled one when its first labels are. */
  counter(name: string, help: string, shape?: Shape): Counter
  gauge(name: string, help: string, shape?: Shape): Gauge
  /** @param buckets upper bounds, going up; `+Inf` is added */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram
  /** Measured when somebody asks. Undefined leaves it out. */
  measured(name: string, kind: 'counter' | 'gauge', options: { readonly help: string; readonly value: () => number | undefined }): void
  text(): string
}

type Family = () => string

export function createRegistry(): Registry {
  const families = new Map<string, Family>()
  const add = (name: string, kind: string, help: string, lines: () => readonly string[]): void => {
    const head = `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${kind}\n`
    families.set(name, () => {
      const body = lines()
      return body.length === 0 ? '' : `${head}${body.map((line) => `${line}\n`).join('')}`
    })
  }
  return {
    counter(name, help, shape = 'plain') {
      const values = createSeries(name, shape)
      add(name, 'counter', help, values.lines)
      return { add: (amount = 1, labels) => values.set(labels, values.get(labels) + amount) }
    },
    gauge(name, help, shape = 'plain') {
      const values = createSeries(name, shape)
      add(name, 'gauge', help, values.lines)
      return { set: (value, labels) => values.set(labels, value) }
    },
    histogram(name, help, buckets) {
      const counts = [...buckets, Infinity].map(() => 0)
      let sum = 0
      add(name, 'histogram', help, () => {
        let below = 0
        const lines = [...buckets, Infinity].map((bound, i) => `${name}_bucket{le="${number(bound)}"} ${(below += counts[i]!)}`)
        return [...lines, `${name}_sum ${number(sum)}`, `${name}_count ${below}`]
      })
      return {
        observe(value) {
          const i = buckets.findIndex((bound) => value <= bound)
          counts[i < 0 ? buckets.length : i]!++
          sum += value
        },
      }
    },
    measured(name, kind, { help, value }) {
      add(name, kind, help, () => {
        const now = value()
        return now === undefined ? [] : [`${name} ${number(now)}`]
      })
    },
    text: () => [...families.values()].map((family) => family()).join(''),
  }
}

interface Series {
  get(labels: Labels | undefined): number
  set(labels: Labels | undefined, value: number): void
  readonly lines: () => readonly string[]
}

/** The values of one name, by their labels. */
function createSeries(name: string, shape: Shape): Series {
  const values = new Map<string, number>(shape === 'plain' ? [['', 0]] : [])
  return {
    get: (labels) => values.get(written(labels)) ?? 0,
    set: (labels, value) => void values.set(written(labels), value),
    lines: () => [...values].map(([labels, value]) => `${name}${labels} ${number(value)}`),
  }
}

function written(labels: Labels | undefined): string {
  const pairs = Object.entries(labels ?? {})
  if (pairs.length === 0) return ''
  const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  return `{${pairs.map(([key, value]) => `${key}="${escaped(value)}"`).join(',')}}`
}

function number(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return String(value)
}

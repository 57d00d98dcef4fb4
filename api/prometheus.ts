/** A registry of measurements in Prometheus' text format, version 0.0.4. */

export type Labels = Readonly<Record<string, string>>

export interface Counter {
  add(amount?: number, labels?: Labels): void
  /** The same with these labels, for those who count often: they are written down once. */
  of(labels: Labels): { add(amount?: number): void }
}

export interface Gauge {
  set(value: number, labels?: Labels): void
  of(labels: Labels): { set(value: number): void }
}

export interface Histogram {
  observe(value: number, labels?: Labels): void
  of(labels: Labels): { observe(value: number): void }
}

/** One value of a measurement that has labels. */
export interface Sample {
  readonly labels: Labels
  readonly value: number
}

export type Shape = 'plain' | 'labelled'

export interface Registry {
  /** A plain one is there from the start, with 0; a labelled one when its first labels are. */
  counter(name: string, help: string, shape?: Shape): Counter
  gauge(name: string, help: string, shape?: Shape): Gauge
  /** @param buckets upper bounds, going up; `+Inf` is added. A series is there when its labels are, the one without from the start */
  histogram(name: string, help: string, buckets: readonly number[], shape?: Shape): Histogram
  /** Measured when somebody asks. Undefined leaves it out. */
  measured(name: string, kind: 'counter' | 'gauge', options: { readonly help: string; readonly value: () => Measured }): void
  text(): string
}

/** Nothing, one value, or one for each set of labels. */
export type Measured = number | undefined | readonly Sample[]

type Family = () => string

export function createRegistry(): Registry {
  const families = new Map<string, Family>()
  const list = (name: string, kind: string, help: string, lines: () => readonly string[]): void => {
    const head = `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${kind}\n`
    families.set(name, () => {
      const body = lines()
      return body.length === 0 ? '' : `${head}${body.map((line) => `${line}\n`).join('')}`
    })
  }
  return {
    counter(name, help, shape = 'plain') {
      const values = createSeries(name, shape)
      list(name, 'counter', help, values.lines)
      const add = (amount: number, text: string): void => values.set(text, values.get(text) + amount)
      return {
        add: (amount = 1, labels) => add(amount, written(labels)),
        of(labels) {
          const text = written(labels)
          return { add: (amount = 1) => add(amount, text) }
        },
      }
    },
    gauge(name, help, shape = 'plain') {
      const values = createSeries(name, shape)
      list(name, 'gauge', help, values.lines)
      return {
        set: (value, labels) => values.set(written(labels), value),
        of(labels) {
          const text = written(labels)
          return { set: (value) => values.set(text, value) }
        },
      }
    },
    histogram(name, help, buckets, shape = 'plain') {
      const bounds = [...buckets, Infinity]
      const series = new Map<string, Buckets>()
      const bucketsOf = (pairs: string): Buckets => {
        let found = series.get(pairs)
        if (!found) series.set(pairs, (found = { counts: bounds.map(() => 0), sum: 0 }))
        return found
      }
      if (shape === 'plain') bucketsOf('')
      list(name, 'histogram', help, () => [...series].flatMap(([pairs, one]) => bucketLines({ name, pairs, bounds }, one)))
      const observe = (value: number, one: Buckets): void => {
        one.counts[bounds.findIndex((bound) => value <= bound)]!++
        one.sum += value
      }
      return {
        observe: (value, labels) => observe(value, bucketsOf(pairsOf(labels))),
        of(labels) {
          const pairs = pairsOf(labels)
          return { observe: (value) => observe(value, bucketsOf(pairs)) }
        },
      }
    },
    measured(name, kind, { help, value }) {
      list(name, kind, help, () => {
        const now = value() ?? []
        if (typeof now === 'number') return [`${name} ${number(now)}`]
        return now.map((sample) => `${name}${written(sample.labels)} ${number(sample.value)}`)
      })
    },
    text: () => [...families.values()].map((family) => family()).join(''),
  }
}

interface Series {
  /** @param labels as they are written */
  get(labels: string): number
  set(labels: string, value: number): void
  readonly lines: () => readonly string[]
}

/** The values of one name, by their labels. */
function createSeries(name: string, shape: Shape): Series {
  const values = new Map<string, number>(shape === 'plain' ? [['', 0]] : [])
  return {
    get: (labels) => values.get(labels) ?? 0,
    set: (labels, value) => void values.set(labels, value),
    lines: () => [...values].map(([labels, value]) => `${name}${labels} ${number(value)}`),
  }
}

interface Buckets {
  readonly counts: number[]
  sum: number
}

interface BucketHead {
  readonly name: string
  readonly pairs: string
  readonly bounds: readonly number[]
}

function bucketLines({ name, pairs, bounds }: BucketHead, { counts, sum }: Buckets): readonly string[] {
  const [before, alone] = pairs === '' ? ['', ''] : [`${pairs},`, `{${pairs}}`]
  let below = 0
  const lines = bounds.map((bound, i) => `${name}_bucket{${before}le="${number(bound)}"} ${(below += counts[i]!)}`)
  return [...lines, `${name}_sum${alone} ${number(sum)}`, `${name}_count${alone} ${below}`]
}

function written(labels: Labels | undefined): string {
  const pairs = pairsOf(labels)
  return pairs && `{${pairs}}`
}

function pairsOf(labels: Labels | undefined): string {
  const pairs = Object.entries(labels ?? {})
  const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  return pairs.map(([key, value]) => `${key}="${escaped(value)}"`).join(',')
}

function number(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return String(value)
}

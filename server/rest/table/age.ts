/** Ages as people know them from kubectl: `45s`, `5m`, `3h12m`, `2d3h`, `400d`, `2y`. */

const minute = 60
const hour = 60 * minute
const day = 24 * hour
const year = 365 * day

/** Up to what age (in seconds) which units are shown: the big one always, the small one unless it is zero. */
const scales = [
  { below: 2 * minute, big: 1, unit: 's' },
  { below: 10 * minute, big: minute, unit: 'm', small: 1, smallUnit: 's' },
  { below: 3 * hour, big: minute, unit: 'm' },
  { below: 8 * hour, big: hour, unit: 'h', small: minute, smallUnit: 'm' },
  { below: 2 * day, big: hour, unit: 'h' },
  { below: 8 * day, big: day, unit: 'd', small: hour, smallUnit: 'h' },
  { below: 2 * year, big: day, unit: 'd' },
  { below: 8 * year, big: year, unit: 'y', small: day, smallUnit: 'd' },
  { below: Infinity, big: year, unit: 'y' },
] as const

/** A length of time in milliseconds as text. A little below zero is `0s` (clocks differ), more is `<invalid>`. */
export function durationText(ms: number): string {
  const seconds = Math.trunc(ms / 1000)
  if (seconds < -1) return '<invalid>'
  const whole = Math.max(0, seconds)
  const scale = scales.find((s) => whole < s.below)!
  const big = `${Math.floor(whole / scale.big)}${scale.unit}`
  if (!('small' in scale)) return big
  const small = Math.floor((whole % scale.big) / scale.small)
  return small === 0 ? big : `${big}${small}${scale.smallUnit}`
}

/** The age of an RFC 3339 time, or `<unknown>` where there is none. `now` is ms since 1970. */
export function ageText(time: string | null | undefined, now: number): string {
  const then = time ? Date.parse(time) : NaN
  return Number.isNaN(then) ? '<unknown>' : durationText(now - then)
}

/** The formats of texts and numbers that schemas of custom kinds may name. Formats that are not named here are not looked at. */
import ipaddr from 'ipaddr.js'

type Check = (text: string) => boolean

const parses = (text: string): boolean => {
  try {
    return new URL(text, 'http://a').href !== ''
  } catch {
    return false
  }
}
const uuid = (version: string): RegExp => new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i')
const label = /^[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?$/i
const time = /^(\d{4})-(\d{2})-(\d{2})(?:[T ])(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})$/i

/** Whether there is such a day. */
function isDay(text: string): boolean {
  const at = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (!at) return false
  const [year, month, day] = at.slice(1).map(Number) as [number, number, number]
  const date = new Date(Date.UTC(year, month - 1, day))
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}

function isTime(text: string): boolean {
  const at = time.exec(text)
  return at !== null && isDay(text.slice(0, 10)) && Number(at[4]) < 24 && Number(at[5]) < 60 && Number(at[6]) <= 60
}

const texts: Readonly<Record<string, readonly [check: Check, named: string]>> = {
  'date-time': [isTime, 'a time as in RFC 3339, such as 2026-01-31T12:00:00Z'],
  datetime: [isTime, 'a time as in RFC 3339, such as 2026-01-31T12:00:00Z'],
  date: [isDay, 'a day, such as 2026-01-31'],
  duration: [(t) => /^[-+]?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d|w))+$|^0$/.test(t.replaceAll(' ', '')), 'a duration, such as 1h30m or 10s'],
  uri: [(t) => t !== '' && !/\s/.test(t) && parses(t), 'a URI'],
  email: [(t) => /^[^@\s]+@[^@\s]+$/.test(t), 'an e-mail address'],
  hostname: [(t) => t.length <= 255 && t.split('.').every((part) => part.length <= 63 && label.test(part)), 'the name of a host'],
  ipv4: [(t) => ipaddr.IPv4.isValidFourPartDecimal(t), 'an IPv4 address'],
  ipv6: [(t) => ipaddr.IPv6.isValid(t), 'an IPv6 address'],
  cidr: [(t) => ipaddr.isValidCIDR(t), 'a range of addresses, such as 10.0.0.0/8'],
  mac: [(t) => /^(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(t), 'a MAC address'],
  uuid: [(t) => uuid('[0-9a-f]').test(t), 'a UUID'],
  uuid3: [(t) => uuid('3').test(t), 'a UUID of version 3'],
  uuid4: [(t) => uuid('4').test(t), 'a UUID of version 4'],
  uuid5: [(t) => uuid('5').test(t), 'a UUID of version 5'],
  byte: [(t) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(t), 'base64'],
  hexcolor: [(t) => /^#?(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(t), 'a colour in hexadecimal, such as #FFAA00'],
}

const ranges: Readonly<Record<string, readonly [least: number, most: number, named: string]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1, 'a whole number of 32 bits'],
  int64: [-(2 ** 63), 2 ** 63, 'a whole number of 64 bits'],
}

/** @returns what a value is not, in words that follow "must be"; undefined where it has the format, or the format is not known */
export function formatProblem(format: string, value: unknown): string | undefined {
  if (typeof value === 'string') {
    const known = Object.hasOwn(texts, format) ? texts[format] : undefined
    return known && !known[0](value) ? known[1] : undefined
  }
  if (typeof value !== 'number') return undefined
  const range = Object.hasOwn(ranges, format) ? ranges[format] : undefined
  return range && (!Number.isInteger(value) || value < range[0] || value > range[1]) ? range[2] : undefined
}

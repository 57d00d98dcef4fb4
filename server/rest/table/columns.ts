/** What a kind's table is made of. Column names, types and priorities are those that kubectl users know. */
import type { KubeObject } from '../../../api/objects.ts'
import { ageText } from './age.ts'

/** null is shown as `<none>`. */
export type Cell = string | number | boolean | null

/** Columns of priority 1 are shown by `kubectl get -o wide` only. `now` is ms since 1970. */
export interface Column<T extends KubeObject> {
  readonly name: string
  readonly type?: string
  readonly format?: string
  readonly priority?: number
  readonly description: string
  readonly cell: (object: T, now: number) => Cell
}

export const nameColumn: Column<KubeObject> = {
  name: 'Name',
  format: 'name',
  description: 'Name of the object, unique in its namespace.',
  cell: (object) => object.metadata.name,
}

export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  description: 'Time since the object was created.',
  cell: (object, now) => ageText(object.metadata.creationTimestamp, now),
}

/** A comma-separated list, `<none>` if it is empty. */
export function joined(words: readonly (string | undefined)[], separator = ','): string {
  const present = words.filter((word) => word !== undefined && word !== '')
  return present.length > 0 ? present.join(separator) : '<none>'
}

/** The first three of a list, and how many more there are. */
export function firstThree(words: readonly string[]): string {
  const shown = joined(words.slice(0, 3))
  return words.length > 3 ? `${shown} + ${words.length - 3} more...` : shown
}

/** `app=web,tier=front`, as selectors are written on a command line. */
export function labelsText(labels: Readonly<Record<string, string>> | null | undefined): string {
  return joined(Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`))
}

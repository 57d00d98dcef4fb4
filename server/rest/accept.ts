/** Which form of the answer a client wants: the Accept header. */
import { StatusError } from '../../api/status.ts'

/** The object itself, a Table for people, or metadata only. */
export type Form = 'object' | 'table' | 'partial'

export interface Wanted {
  readonly form: Form
  readonly media: 'json' | 'yaml'
}

/** One alternative of an Accept header: media type and parameters in lower-case names. */
export interface Alternative {
  readonly type: string
  readonly parameters: Readonly<Record<string, string>>
}

/** The alternatives in the order of their weight; those of weight 0 are left out. */
export function alternatives(accept: string | undefined): readonly Alternative[] {
  if (accept === undefined || accept.trim() === '') return [{ type: '*/*', parameters: {} }]
  const all = accept.split(',').map((part) => {
    const [type = '', ...pairs] = part.split(';').map((s) => s.trim())
    const parameters = Object.fromEntries(
      pairs.map((pair) => {
        const at = pair.indexOf('=')
        return at < 0 ? [pair.toLowerCase(), ''] : [pair.slice(0, at).trim().toLowerCase(), pair.slice(at + 1).trim()]
      }),
    ) as Record<string, string>
    const weight = parameters.q === undefined ? 1 : Number(parameters.q)
    return { type: type.toLowerCase(), parameters, weight: Number.isNaN(weight) ? 1 : weight }
  })
  return all.filter((a) => a.weight > 0).toSorted((a, b) => b.weight - a.weight)
}

const medias: Readonly<Record<string, Wanted['media']>> = {
  'application/json': 'json',
  'application/*': 'json',
  '*/*': 'json',
  'application/yaml': 'yaml',
}

function formOf({ as, g, v }: Alternative['parameters']): Form | undefined {
  if (as === undefined) return 'object'
  if (g !== 'meta.k8s.io' || v !== 'v1') return undefined
  if (as === 'Table') return 'table'
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? 'partial' : undefined
}

/**
 * The first alternative that the hub can give.
 * @throws StatusError NotAcceptable
 */
export function negotiate(accept: string | undefined): Wanted {
  for (const { type, parameters } of alternatives(accept)) {
    const media = Object.hasOwn(medias, type) ? medias[type] : undefined
    const form = formOf(parameters)
    if (media && form) return { form, media }
  }
  throw new StatusError('NotAcceptable', `only application/json and application/yaml are offered here, not ${accept}`)
}

/** Checks of core/v1 PodTemplateSpec, wherever it stands. */
import type { PodTemplateSpec } from '../../../api/objects.ts'
import { required, unsupported, type Causes } from '../causes.ts'
import { validateAnnotations, validateLabels } from './meta.ts'
import { validatePodSpec } from './pod.ts'

/** @param restart the restart policies that make sense here; all where none is named */
export function* validateTemplate(field: string, template: PodTemplateSpec, restart: readonly string[] = []): Causes {
  const { labels, annotations } = template.metadata ?? {}
  yield* validateLabels(`${field}.metadata.labels`, labels)
  yield* validateAnnotations(`${field}.metadata.annotations`, annotations)
  if (!template.spec) return yield required(`${field}.spec`)
  yield* validatePodSpec(`${field}.spec`, template.spec)
  const { restartPolicy = 'Always' } = template.spec
  if (restart.length > 0 && !restart.includes(restartPolicy)) yield unsupported(`${field}.spec.restartPolicy`, restartPolicy, restart)
}

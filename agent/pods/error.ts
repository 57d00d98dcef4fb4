import { WherryError } from '../../api/errors.ts'

/** What this node cannot do for a pod: CONTAINER_CONFIG, IMAGE_ABSENT, CONTAINER_UNKNOWN, CONNECT_FAILED. */
export class PodError extends WherryError {}

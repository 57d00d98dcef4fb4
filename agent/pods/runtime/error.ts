import { WherryError } from '../../../api/errors.ts'

/** What a container runtime refuses: IMAGE_PULL, IMAGE_ABSENT, CONTAINER_CREATE, CONTAINER_CONFIG. */
export class RuntimeError extends WherryError {}

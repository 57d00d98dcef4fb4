import { WherryError } from '../../../api/errors.ts'

/** What a container runtime refuses: IMAGE_PULL, IMAGE_ABSENT, CONTAINER_CREATE, CONTAINER_CONFIG, CONTAINER_EXEC, CONTAINER_UNKNOWN. */
export class RuntimeError extends WherryError {}

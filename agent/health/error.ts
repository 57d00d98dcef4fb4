import { WherryError } from '../../api/errors.ts'

/** SETUP: an address cannot be listened on. */
export class HealthError extends WherryError {}

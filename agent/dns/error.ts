import { WherryError } from '../../api/errors.ts'

/** SETUP: the address for questions cannot be listened on. USAGE: a flag is not what it should be. */
export class DnsError extends WherryError {}

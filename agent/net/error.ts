import { WherryError } from '../../api/errors.ts'

/** What went wrong with namespaces, routes and pod networks: KERNEL_REFUSED, SANDBOX_NETWORK. */
export class NetError extends WherryError {}

import { WherryError, type ErrorCode } from '../../api/errors.ts'

/**
 * What the drop-in proxy's room fails with. USAGE: its flags or its configuration; SETUP: this machine; API_…: the
 * Kubernetes API; RESTART_NEEDED: what was read at the start is another one now.
 */
export class ProxyError extends WherryError {
  constructor(code: Extract<ErrorCode, `API_${string}` | 'USAGE' | 'SETUP' | 'RESTART_NEEDED'>, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** When a token in a file is to be replaced: as kubelet does it, after 80 percent of its life, or a day. Pure. */

const share = 0.8
const mostSeconds = 86_400

/**
 * @param token a JSON Web Token (RFC 7519), as the hub makes them
 * @param now ms since 1970
 * @returns false also for what is no token
 */
export function isLasting(token: string, now: number): boolean {
  try {
    const { iat, exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Readonly<Record<string, unknown>>
    if (typeof iat !== 'number' || typeof exp !== 'number') return false
    return now / 1000 < iat + Math.min(share * (exp - iat), mostSeconds)
  } catch {
    return false
  }
}

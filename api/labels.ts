/** What label keys and values may be (Kubernetes documentation, "Labels and Selectors"). */

const namePart = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const dnsSubdomain = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/

const nameRule = "must be 1 to 63 letters, digits, '-', '_' or '.', and begin and end with a letter or a digit"

/** Why a word cannot be a label key (or any other qualified name): undefined where it can. */
export function labelKeyProblem(key: string): string | undefined {
  const parts = key.split('/')
  if (parts.length > 2) return "must be a name, or a prefix and a name with one '/' between them (such as example.com/tier)"
  const name = parts.at(-1)!
  if (parts.length === 2 && (parts[0]!.length > 253 || !dnsSubdomain.test(parts[0]!))) {
    return "prefix part must be a DNS subdomain: up to 253 lower case letters, digits, '-' and '.' (such as example.com)"
  }
  if (name.length > 63 || !namePart.test(name)) return `name part ${nameRule} (such as app.kubernetes.io/name or tier)`
  return undefined
}

/** Why a text cannot be a label value: undefined where it can. */
export function labelValueProblem(value: string): string | undefined {
  if (value === '' || (value.length <= 63 && namePart.test(value))) return undefined
  return `${nameRule}, or be empty`
}

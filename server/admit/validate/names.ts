/** The forms that names have in the API, each as a check that says why a text has not that form (undefined where it has). */

const label = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/
const serviceLabel = /^[a-z](?:[-a-z0-9]*[a-z0-9])?$/
const portName = /^[a-z0-9]+(?:-[a-z0-9]+)*$/

/** A check of one text. */
export type Form = (text: string) => string | undefined

/** RFC 1123 label: `web-1`. */
export const dnsLabel: Form = (text) =>
  text.length <= 63 && label.test(text)
    ? undefined
    : "must be a DNS label: up to 63 lower case letters, digits and '-', " +
      "beginning and ending with a letter or a digit (such as 'web-1')"

/** RFC 1035 label: as before, but the first character is a letter. */
export const dns1035Label: Form = (text) =>
  text.length <= 63 && serviceLabel.test(text)
    ? undefined
    : "must be a DNS label: up to 63 lower case letters, digits and '-', " +
      "beginning with a letter and ending with a letter or a digit (such as 'web-1')"

/** RFC 1123 subdomain: labels with dots between them. */
export const dnsSubdomain: Form = (text) =>
  text.length <= 253 && text.split('.').every((part) => label.test(part))
    ? undefined
    : "must be a DNS subdomain: up to 253 lower case letters, digits, '-' and '.', " +
      "beginning and ending with a letter or a digit (such as 'web-1.example.com')"

/** What can stand between two slashes of a path: the names of roles, which may have colons. */
export const pathSegment: Form = (text) =>
  text !== '.' && text !== '..' && !/[/%]/.test(text) ? undefined : "may be neither '.' nor '..' and may contain neither '/' nor '%'"

/** IANA service name (RFC 6335), as ports of containers have it. */
export const ianaPortName: Form = (text) =>
  text.length <= 15 && portName.test(text) && /[a-z]/.test(text)
    ? undefined
    : "must be a port name: up to 15 lower case letters, digits and single '-', with at least one letter (such as 'http')"

/** The keys of ConfigMaps and Secrets. */
export const fileKey: Form = (text) =>
  text.length <= 253 && /^[-._a-zA-Z0-9]+$/.test(text) && text !== '.' && !text.startsWith('..')
    ? undefined
    : "must be up to 253 letters, digits, '-', '_' or '.', and neither '.' nor begin with '..' (such as 'app.conf')"

/** 1 to 65535. */
export const isPort = (n: number): boolean => Number.isInteger(n) && n >= 1 && n <= 65535
export const portRule = 'must be between 1 and 65535'

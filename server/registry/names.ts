/** Names that the server makes up (ObjectMeta `generateName`). */

/** Without vowels and look-alikes: no words, no misreading. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
const suffixLength = 5
/** So that the name fits where a DNS label is wanted. */
const maxPrefix = 63 - suffixLength

export function generateName(prefix: string, random: () => number): string {
  const suffix = Array.from({ length: suffixLength }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
  return `${prefix.slice(0, maxPrefix)}${suffix}`
}

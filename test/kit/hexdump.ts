/** Reads what hexdump(1) prints with `-C -v`: sixteen bytes on each line, between an offset and the same as text. */
export function bytesOf(text: string): Buffer {
  const lines = text.split('\n').flatMap((line) => /^[0-9a-f]{8,} {2}((?:[0-9a-f]{2} {1,2})+) *\|/.exec(line)?.[1] ?? [])
  return Buffer.from(lines.join('').replaceAll(' ', ''), 'hex')
}

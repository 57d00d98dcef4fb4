/** Plain text tables: columns as wide as their widest cell, two blanks between them, no blanks at a line's end. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[], indent = ''): string {
  const lines = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines
    .map((line) => (indent + line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')).trimEnd())
    .map((line) => `${line}\n`)
    .join('')
}

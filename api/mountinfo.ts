/** What the kernel has mounted (proc(5), /proc/PID/mountinfo). Pure. */

/** Mount points in the order of mounting. @param mountinfo text of /proc/self/mountinfo */
export function mountPoints(mountinfo: string): readonly string[] {
  const fields = mountinfo.split('\n').map((line) => line.split(' ')[4])
  return fields.filter((field) => field !== undefined).map(unescapePath)
}

/** Mount points at or below the directories, deepest first. @param mountinfo text of /proc/self/mountinfo */
export function mountsBelow(mountinfo: string, dirs: readonly string[]): readonly string[] {
  return mountPoints(mountinfo)
    .filter((path) => dirs.some((dir) => path === dir || path.startsWith(`${dir}/`)))
    .toReversed()
}

/** Blank, tab, newline and backslash are written as octal. */
function unescapePath(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

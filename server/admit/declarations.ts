/** The declarations of the Kubernetes types, as `kubernetes-models` writes them. */

/**
 * The text of a declaration in which each type has its name. The package writes the claims of a StatefulSet out in place, because
 * they need not say their kind; they are PersistentVolumeClaims all the same.
 */
export function withNames(text: string): string {
  let imports = ''
  const named = text.replace(/Array<\{\n[^]*?\n {4}\}>/g, (inline) => {
    const spec = /"spec"\?: (IIoK8s\w+)Spec;/.exec(inline)?.[1]
    const line = spec && new RegExp(`^import \\{ ${spec}Spec \\} from ".*";$`, 'm').exec(text)?.[0]
    if (!spec || !line) return inline
    if (!imports.includes(`{ ${spec} }`)) imports += `${line.replace(`${spec}Spec`, spec).replace('Spec.js"', '.js"').replace('Spec";', '";')}\n`
    return `Array<${spec}>`
  })
  return imports + named
}

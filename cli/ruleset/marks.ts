/** How a service is found in rules. Pure. */

/** By what a service is known in the rules. */
export interface ServiceMarks {
  /** `namespace/name`: elements carry it, or it and `:port name`, as a comment. */
  readonly key: string
  /** Cluster IPs, external IPs, load balancer IPs, and endpoints' addresses. */
  readonly addresses: readonly string[]
  readonly nodePorts: readonly number[]
}

/** Whether a comment in the rules names the service or one of its ports. */
export function isOf(comment: string, { key }: ServiceMarks): boolean {
  return comment === key || comment.startsWith(`${key}:`)
}

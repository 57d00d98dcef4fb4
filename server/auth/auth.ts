/** Who is asking, and may they. The PKI behind it is in `pki.ts`. */

export interface User {
  /** e.g. `wherry-admin`, `system:node:node1`, `system:anonymous` */
  readonly name: string
  readonly groups: readonly string[]
  /** Of service accounts: that of the account, so that a new one of the same name is another user. */
  readonly uid?: string
  /** What the credential says beyond name and groups, e.g. the pod of a token. */
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** What a request wants, in the words of Kubernetes' SubjectAccessReview. */
export interface Wish {
  readonly verb: string
  readonly path: string
  readonly resource?: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
  /** Of lists and watches, as the client sent it. */
  readonly fieldSelector?: string
}

/** Groups that mean something to the hub. */
export const groups = {
  admins: 'system:masters',
  nodes: 'system:nodes',
  proxies: 'system:node-proxier',
  authenticated: 'system:authenticated',
  unauthenticated: 'system:unauthenticated',
} as const

/** The name by which Kubernetes knows its service proxies; some tools make it a group. */
export const proxyName = 'system:kube-proxy'

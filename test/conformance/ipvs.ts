/** The laws of the IPVS tools as one table: it holds on the machine in memory and on a kernel. For tests. */
import { isWherryError } from '../../api/errors.ts'
import { adopt, ipvsMode, type Listing, type ServerOperation, type Step, type Transaction } from '../../rules/ipvs/index.ts'
import type { Family, NodeView } from '../../rules/model.ts'
import type { Kernel } from '../../agent/kernel/kernel.ts'

export interface IpvsLaw {
  readonly name: string
  readonly steps: readonly Step[]
  /** The code of the error; undefined where all is done. */
  readonly code?: string
  /** What is there afterwards, as `stateOf` tells it. */
  readonly left: readonly string[]
}

const servers = (...operations: readonly ServerOperation[]): Step => ({ kind: 'servers', operations })
const address = (kind: 'add-address' | 'delete-address', ...addresses: readonly string[]): Step => ({
  kind: 'addresses',
  operations: addresses.map((one) => ({ kind, address: one })),
})
const virtual = 'tcp 10.96.0.1:80'
const real = '10.244.1.2:8080'
const add: ServerOperation = { kind: 'add-server', virtual, settings: 'rr' }
const other: ServerOperation = { ...add, virtual: 'udp 10.96.0.2:53' }
const addReal: ServerOperation = { kind: 'add-real', virtual, real, weight: 1 }

export const ipvsLaws: readonly IpvsLaw[] = [
  { name: 'a virtual server and its real server are added', steps: [servers(add, addReal)], left: [`${virtual} rr`, `${real} 1`] },
  { name: 'a virtual server that is there is not added; later lines happen', steps: [servers(add), servers(add, other)], code: 'KERNEL_EXISTS', left: [`${virtual} rr`, 'udp 10.96.0.2:53 rr'] },
  { name: 'an error in the last line is told, too', steps: [servers(add), servers(other, add)], code: 'KERNEL_EXISTS', left: [`${virtual} rr`, 'udp 10.96.0.2:53 rr'] },
  { name: 'a virtual server is edited', steps: [servers(add, { ...add, kind: 'edit-server', settings: 'rr persistent 90' })], left: [`${virtual} rr persistent 90`] },
  {
    name: 'affinity is taken away again',
    steps: [servers({ ...add, settings: 'rr persistent 90' }, { ...add, kind: 'edit-server', settings: 'rr' })],
    left: [`${virtual} rr`],
  },
  { name: 'a virtual server that is not there is not edited', steps: [servers({ ...add, kind: 'edit-server' })], code: 'KERNEL_NOT_FOUND', left: [] },
  { name: 'a virtual server that is not there is not deleted', steps: [servers({ kind: 'delete-server', virtual })], code: 'KERNEL_NOT_FOUND', left: [] },
  { name: 'a virtual server goes with its real servers', steps: [servers(add, addReal, { kind: 'delete-server', virtual }, add)], left: [`${virtual} rr`] },
  { name: 'a real server that is there is not added', steps: [servers(add, addReal), servers(addReal)], code: 'KERNEL_EXISTS', left: [`${virtual} rr`, `${real} 1`] },
  { name: 'a real server needs its virtual server', steps: [servers(addReal)], code: 'KERNEL_NOT_FOUND', left: [] },
  { name: 'a real server gets weight 0', steps: [servers(add, addReal, { ...addReal, kind: 'edit-real', weight: 0 })], left: [`${virtual} rr`, `${real} 0`] },
  { name: 'a real server that is not there is not edited', steps: [servers(add), servers({ ...addReal, kind: 'edit-real' })], code: 'KERNEL_NOT_FOUND', left: [`${virtual} rr`] },
  { name: 'a real server that is not there is not deleted', steps: [servers(add), servers({ kind: 'delete-real', virtual, real })], code: 'KERNEL_NOT_FOUND', left: [`${virtual} rr`] },
  {
    name: 'a virtual server by mark has real servers with ports of their own, and mh',
    steps: [servers({ kind: 'add-server', virtual: 'mark 2147483647', settings: 'mh' }, { ...addReal, virtual: 'mark 2147483647' })],
    left: ['mark 2147483647 mh', `${real} 1`],
  },
  { name: 'SCTP', steps: [servers({ ...add, virtual: 'sctp 10.96.0.1:9' })], left: ['sctp 10.96.0.1:9 rr'] },
  { name: 'addresses come and go', steps: [address('add-address', '10.96.0.1', '10.96.0.2'), address('delete-address', '10.96.0.1')], left: ['10.96.0.2'] },
  { name: 'an address that is there ends the batch', steps: [address('add-address', '10.96.0.1'), address('add-address', '10.96.0.1', '10.96.0.2')], code: 'KERNEL_EXISTS', left: ['10.96.0.1'] },
  { name: 'an address that is not there is not deleted', steps: [address('delete-address', '10.96.0.1')], code: 'KERNEL_NOT_FOUND', left: [] },
]

/** Does what a law says, on a kernel that has nothing of ours. Gives the code of the error, and what is left; takes it away again. */
export async function runLaw(kernel: Kernel<Listing, Transaction>, { steps }: IpvsLaw, signal: AbortSignal): Promise<Pick<IpvsLaw, 'code' | 'left'>> {
  let code: string | undefined
  for (const step of [{ kind: 'addresses', operations: [{ kind: 'add-device' }] } as const, ...steps]) {
    try {
      await kernel.apply({ family: 'ip', steps: [step] }, signal)
    } catch (error) {
      // The device may be there already.
      if (step.kind === 'addresses' && step.operations[0]?.kind === 'add-device') continue
      if (!isWherryError(error)) throw error
      code = error.code
    }
  }
  const left = stateOf((await kernel.read(signal))!)
  const { servers: held, addresses } = (await kernel.read(signal))!
  await kernel.apply({ family: 'ip', steps: [
    { kind: 'servers', operations: [...held.keys()].map((key) => ({ kind: 'delete-server', virtual: key })) },
    { kind: 'addresses', operations: [...addresses].map((one) => ({ kind: 'delete-address', address: one })) },
  ] }, signal)
  return { ...(code !== undefined && { code }), left }
}

function stateOf({ servers: held, addresses }: Listing): readonly string[] {
  return [
    ...[...held].flatMap(([key, { settings, reals }]) => [`${key} ${settings}`, ...[...reals].map(([name, { weight }]) => `${name} ${weight}`)]),
    ...addresses,
  ]
}

/** Carries a view to a kernel, as the sync loop does at its start: read, plan, apply. @returns what was planned */
export async function bring(kernel: Kernel<Listing, Transaction>, family: Family, view: NodeView, signal: AbortSignal): Promise<Transaction | undefined> {
  const { transaction } = ipvsMode.plan(adopt(family, await kernel.read(signal)), view, 'all')
  if (transaction) await kernel.apply(transaction, signal)
  return transaction
}

/** The one printer: each step as the text that its tool reads, that is tested, and that is logged. */
import type { Family } from '../model.ts'
import { ruleLine } from '../nft/render.ts'
import type { AddressOperation, RealKey, ServerOperation, Step, Transaction, VirtualKey } from './model.ts'
import { deviceName, prefixLength, tableName, virtualOf } from './names.ts'

/** All steps, each under a line that names the tool: for people and for the log. */
export function render({ family, steps }: Transaction): string {
  return steps.map((step) => `# ${tools[step.kind]}\n${renderStep(family, step)}`).join('')
}

const tools = { rules: 'nft -f -', servers: 'ipvsadm -R', addresses: 'ip -batch -' } as const satisfies Record<Step['kind'], string>

/** One line for each operation (two for the deletion of a table), each ended by a line feed. */
export function renderStep(family: Family, step: Step): string {
  switch (step.kind) {
    case 'rules':
      // There may be no table to delete, which would be an error.
      return lines(step.operations, (operation) => {
        const line = ruleLine(`${family} ${tableName}`, operation)
        return operation.kind === 'delete-table' ? `add table ${family} ${tableName}\n${line}` : line
      })
    case 'servers':
      return lines(step.operations, (operation) => serverLine(family, operation))
    case 'addresses':
      return lines(step.operations, (operation) => addressLine(family, operation))
  }
}

function lines<T>(operations: readonly T[], line: (operation: T) => string): string {
  return operations.map((operation) => `${line(operation)}\n`).join('')
}

/** ipvsadm(8), options of one invocation to a line. */
function serverLine(family: Family, operation: ServerOperation): string {
  const virtual = virtualOptions(family, operation.virtual)
  const real = (key: RealKey): string => `${virtual} -r ${key}`
  switch (operation.kind) {
    case 'add-server':
      return `-A ${virtual} ${settingOptions(operation.settings)}`
    case 'edit-server':
      return `-E ${virtual} ${settingOptions(operation.settings)}`
    case 'delete-server':
      return `-D ${virtual}`
    case 'add-real':
      return `-a ${real(operation.real)} -m -w ${operation.weight}`
    case 'edit-real':
      return `-e ${real(operation.real)} -m -w ${operation.weight}`
    case 'delete-real':
      return `-d ${real(operation.real)}`
  }
}

function virtualOptions(family: Family, key: VirtualKey): string {
  const virtual = virtualOf(key)
  if (virtual.kind === 'mark') return `-f ${virtual.mark}${family === 'ip6' ? ' -6' : ''}`
  return `${{ tcp: '-t', udp: '-u', sctp: '--sctp-service' }[virtual.protocol]} ${key.slice(key.indexOf(' ') + 1)}`
}

/** `rr persistent 90` is `-s rr -p 90`. */
function settingOptions(settings: string): string {
  return `-s ${settings.replace(' persistent ', ' -p ')}`
}

/** ip-address(8), ip-link(8) */
function addressLine(family: Family, operation: AddressOperation): string {
  switch (operation.kind) {
    case 'add-device':
      return `link add ${deviceName} type dummy`
    case 'add-address':
      // Nobody else is asked whether he has it: all nodes do.
      return `address add ${operation.address}/${prefixLength[family]} dev ${deviceName}${family === 'ip6' ? ' nodad' : ''}`
    case 'delete-address':
      return `address delete ${operation.address}/${prefixLength[family]} dev ${deviceName}`
  }
}

/** A stage without packets: objects to a view, the view to a mode's ruleset, and the tracer says what would happen. */
import { expect } from 'vitest'
import { createTables } from '../../agent/state/tables.ts'
import { createViewBuilder } from '../../agent/state/view.ts'
import type { StreamFrame } from '../../api/frames.ts'
import type { KubeObject } from '../../api/objects.ts'
import type { Family, NodeConfig } from '../../rules/model.ts'
import type { Journey, Packet } from '../../rules/packet.ts'
import { addressesOf, configOf, gatewayNumber, plans } from './addresses.ts'
import { createCluster } from './cluster.ts'
import type { Fault } from './faults.ts'
import type { TracedMode } from './modes.ts'
import { node } from './objects.ts'
import { single, type Addresses, type Backend, type Expected, type Place, type Probe, type Stage } from './stage.ts'

/** @param fault is planted in what the mode is told to do, or in what it does: a behaviour of which it is a part must be missed */
export function openTracerStage(mode: TracedMode, family: Family, fault: Fault = { rows: '' }): Stage {
  const at = addressesOf(family)
  const cluster = createCluster()
  const tables = createTables()
  const views = createViewBuilder({ node: 'node1', family })
  const own = [at.places.node, plans[family].pod(1, gatewayNumber), ...(family === 'ip' ? ['127.0.0.1', '127.0.0.9'] : ['::1'])]
  const late: string[] = []
  let config: NodeConfig = configOf(family)
  const take = (frames: readonly StreamFrame[]): void => {
    for (const frame of frames) {
      const batch = tables.take(frame)
      if (batch) views.take(batch)
    }
  }
  const told = (objects: readonly object[]): readonly object[] => objects.map((object) => fault.object?.(object as KubeObject) ?? object)
  take(cluster.change([node()]))
  return {
    mode: mode.name,
    family,
    at,
    otherAt: addressesOf(family === 'ip' ? 'ip6' : 'ip'),
    async apply(...objects) {
      take(cluster.change(told(objects)))
    },
    async remove(names, ...objects) {
      take(cluster.change(told(objects), names))
    },
    async configure(part) {
      config = configOf(family, part)
    },
    async addHostAddress(address) {
      late.push(address)
    },
    async expect(probe, expected) {
      const view = views.view(config)
      for (const one of single(probe)) {
        const packet = packetOf(at, one)
        const journeys = mode.outcomes(family, fault.view?.(view, family) ?? view, { addresses: [...own, ...late] }, packet)
        const found = seen(at, fault.journeys?.(journeys, packet) ?? journeys, one, expected)
        expect({ probe: one, found }).toEqual({ probe: one, found: wanted(expected, one) })
      }
    },
  }
}

function packetOf(at: Addresses, { from, protocol = 'tcp', to, port, client }: Probe & { readonly from: Place; readonly to: string }): Packet {
  const place = from in at.backends ? at.backends[from as Backend] : at.places[from as keyof Addresses['places']]
  const isHere = from === 'pod' || from === 'b1' || from === 'b2'
  // A process of the node that talks to a loopback address has one, too.
  const isLoopback = from === 'node' && (to.startsWith('127.') || to === '::1')
  return {
    ...(from === 'node' ? { hook: 'output' as const } : { hook: 'prerouting' as const, inputInterface: isHere ? `veth-${from}` : 'eth0' }),
    source: isLoopback ? at.loopback : client !== undefined ? at.client(client) : place,
    destination: to,
    protocol,
    sourcePort: 40_000,
    destinationPort: port,
  }
}

/** In the words of an expectation. */
function seen(at: Addresses, journeys: readonly Journey[], probe: Probe, expected: Expected): unknown {
  const fates = new Set(journeys.map(({ fate }) => fate.kind))
  const first = journeys[0]!.fate.kind
  if (fates.size > 1) return [...fates].toSorted()
  if (first !== 'translated') return first
  const names = new Map(Object.entries(at.backends).map(([name, address]) => [address, name]))
  const ends = journeys.flatMap(({ fate, masqueraded }) =>
    fate.kind === 'translated' ? [{ name: names.get(fate.address) ?? fate.address, port: fate.port, source: masqueraded ? 'hidden' : 'kept' }] : [],
  )
  return {
    answer: [...new Set(ends.map(({ name }) => name))].toSorted(),
    // The node's own address is the node's address.
    ...(probe.from !== 'node' && { source: [...new Set(ends.map(({ source }) => source))].join(' and ') }),
    port: [...new Set(ends.map(({ port }) => port))].join(' and '),
    ...(isEven(expected) && { evenly: isShared(ends.map(({ name }) => name)) }),
  }
}

const isEven = (expected: Expected): boolean => typeof expected === 'object' && 'evenly' in expected

/** Where there are slots, some endpoints have one more than others. */
function isShared(names: readonly string[]): boolean {
  const counts = [...Map.groupBy(names, (name) => name).values()].map(({ length }) => length)
  return Math.max(...counts) <= 2 * Math.min(...counts)
}

function wanted(expected: Expected, probe: Probe): unknown {
  if (expected === 'untouched') return 'passed'
  if (typeof expected === 'string') return expected
  if ('sticky' in expected) throw new TypeError('a tracer has no memory: this behaviour is for kernels')
  const { answer, source, port = 8080, evenly } = expected
  return {
    answer: [...answer].toSorted(),
    ...(probe.from !== 'node' && { source: source ?? expect.any(String) }),
    port: String(port),
    ...(evenly && { evenly }),
  }
}

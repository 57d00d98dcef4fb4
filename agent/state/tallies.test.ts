import { expect, test } from 'vitest'
import type { Family, ServiceView } from '../../rules/model.ts'
import { endpointView, portView, serviceView } from '../../test/kit/views.ts'
import { createTallies } from './tallies.ts'

const here = endpointView('10.244.0.2', { node: 'here' })
const there = endpointView('10.244.1.2')
const local = (part: Partial<ServiceView> = {}) => serviceView({ externalPolicy: 'Local', healthCheckNodePort: 32_000, ports: [portView({ nodePort: 30_080, endpoints: [here, there] })], ...part })

function tallies() {
  const made = createTallies()
  return (family: Family, ...services: readonly (ServiceView | string)[]) => {
    const views = new Map(services.flatMap((s) => (typeof s === 'string' ? [] : [[s.key, s] as const])))
    made.take(family, new Set(services.map((s) => (typeof s === 'string' ? s : s.key))), views)
    return made.changes()
  }
}

test('a health check counts ready addresses on this node, over ports; of two families the one with more', () => {
  const take = tallies()
  const service = { namespace: 'default', name: 'web' }
  const ports = [portView({ endpoints: [here, there] }), portView({ name: 'admin', port: 81, endpoints: [here, endpointView('10.244.0.3', { node: 'here', ready: false, terminating: true })] })]
  expect(take('ip', local({ ports })).healthChecks).toEqual([{ service, port: 32_000, localEndpoints: 1 }])
  const both = ['fd00::2', 'fd00::3'].map((address) => endpointView(address, { node: 'here' }))
  expect(take('ip6', local({ ports: [portView({ endpoints: both })] })).healthChecks).toEqual([{ service, port: 32_000, localEndpoints: 2 }])
  expect(take('ip', local({ ports })), 'nothing new').toEqual({})
  expect(take('ip6', local({ ports: [portView({ endpoints: [both[0]!] })] })).healthChecks).toEqual([{ service, port: 32_000, localEndpoints: 1 }])
  expect(take('ip', 'default/web'), 'the other family still says one').toEqual({})
  expect(take('ip6', serviceView()).healthChecks).toEqual([])
})

test('ports that a policy leaves without endpoints are counted, those without any are not', () => {
  const take = tallies()
  const elsewhere = [portView({ nodePort: 30_080, endpoints: [there] }), portView({ name: 'idle', port: 81, nodePort: 30_081 })]
  expect(take('ip', local({ ports: elsewhere, internalPolicy: 'Local' })).unserved).toEqual({ internal: 1, external: 1 })
  expect(take('ip', serviceView({ key: 'default/inner', internalPolicy: 'Local', externalPolicy: 'Local', ports: [portView({ endpoints: [there] })] })).unserved, 'no outside to speak of').toEqual({ internal: 2, external: 1 })
  expect(take('ip', local()).unserved).toEqual({ internal: 1, external: 0 })
})

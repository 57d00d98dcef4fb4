/** What holds of a mode whose kernel is tables of rules, after any course of changes to the services. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Mode, Plan } from '../../rules/mode.ts'
import type { NodeView } from '../../rules/model.ts'
import type { Outcomes, Packet } from '../../rules/packet.ts'
import { expectedVerdicts, verdictsOf } from './oracle.ts'
import { arbitraryChange, changedView, nodeView, type ViewChange } from './views.ts'

export interface RuleTables<Listing, Accepted, Transaction, P extends Plan<Transaction>> {
  readonly mode: Mode<Listing, Accepted, Transaction, P>
  /** What the kernel holds after a transaction, by its laws. Throws where it would refuse. */
  readonly apply: (held: Listing | undefined, transaction: Transaction) => Listing
  /** What a view comes to where nothing was before. */
  readonly fresh: (view: NodeView) => Listing
  /** To be compared: without what depends on how it came about. */
  readonly form: (listing: Listing) => unknown
  readonly outcomes: Outcomes<Listing>
  readonly changes?: fc.Arbitrary<ViewChange>
}

const packets: fc.Arbitrary<Packet> = fc
  .record({
    source: fc.constantFrom('10.244.0.2', '10.244.1.9', '192.0.2.1', '198.51.100.9', '198.51.100.130', '10.96.0.2'),
    destination: fc.constantFrom('10.96.0.1', '10.96.0.2', '10.96.0.3', '198.18.0.1', '198.18.0.2', '203.0.113.1', '192.0.2.1', '127.0.0.1', '10.244.0.2'),
    protocol: fc.constantFrom('tcp', 'udp'),
    destinationPort: fc.constantFrom(80, 53, 30_001, 30_002, 8080),
    from: fc.constantFrom('eth0', 'cni0', 'veth7', undefined),
  })
  .map(({ from, ...packet }) => ({ ...packet, sourcePort: 40_000, ...(from === undefined ? { hook: 'output', source: '192.0.2.1' } : { hook: 'prerouting', inputInterface: from }) }))

export function describeCourses<Listing, Accepted, Transaction, P extends Plan<Transaction>>(tables: RuleTables<Listing, Accepted, Transaction, P>): void {
  const { mode, apply, fresh, form, outcomes, changes = arbitraryChange } = tables
  const courses = fc.array(fc.array(changes, { maxLength: 4 }), { minLength: 1, maxLength: 8 })

  function start() {
    let accepted = mode.adopt('ip', undefined)
    let held: Listing | undefined
    let view = nodeView([])
    const pass = (changed: Parameters<typeof mode.plan>[2]): P => {
      const made = mode.plan(accepted, view, changed)
      if (made.transaction) held = apply(held, made.transaction)
      accepted = mode.commit(accepted, made)
      return made
    }
    return {
      held: (): Listing => held!,
      view: (): NodeView => view,
      advance(several: readonly ViewChange[], all = false): void {
        const next = changedView(view, several)
        view = next.view
        pass(all ? 'all' : next.changed)
      },
      restart(): P {
        accepted = mode.adopt('ip', held)
        return pass('all')
      },
    }
  }

  describe('after any course of changes', () => {
    test('the tables are what they would be made from nothing', () => {
      fc.assert(
        fc.property(courses, fc.boolean(), (list, all) => {
          const course = start()
          for (const several of list) {
            course.advance(several, all)
            expect(form(course.held())).toEqual(form(fresh(course.view())))
          }
        }),
        { numRuns: 200 },
      )
    })

    test('an agent that starts again finds nothing to do, and goes on from there', () => {
      fc.assert(
        fc.property(courses, courses, (list, more) => {
          const course = start()
          for (const several of list) course.advance(several)
          expect(course.restart().transaction).toBeUndefined()
          for (const several of more) course.advance(several)
          expect(form(course.held())).toEqual(form(fresh(course.view())))
        }),
        { numRuns: 80 },
      )
    })

    test('packets go where the routes say', () => {
      const host = { addresses: ['192.0.2.1', '198.51.100.7', '127.0.0.1', '10.244.0.1'] }
      fc.assert(
        fc.property(courses, fc.array(packets, { minLength: 12, maxLength: 12 }), (list, sent) => {
          const course = start()
          for (const several of list) course.advance(several)
          for (const packet of sent) {
            expect({ packet, verdicts: verdictsOf(outcomes(course.held(), host, packet)) })
              .toEqual({ packet, verdicts: expectedVerdicts('ip', course.view(), host, packet) })
          }
        }),
        { numRuns: 200 },
      )
    })
  })
}

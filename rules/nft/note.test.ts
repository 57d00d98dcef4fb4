import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arbitraryChange, changedView, endpointView, fullView, nodeConfigOf, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import type { NodeView } from '../model.ts'
import { adopt, commit, note, plan, recall, rulesetOf, type Accepted } from './index.ts'

const service = serviceView({ ports: [portView({ endpoints: [endpointView('10.244.0.2'), endpointView('10.244.0.3')] })] })
const view = nodeView([service])
const loaded = (wanted: NodeView): Accepted => {
  const state = adopt('ip', undefined)
  return commit(state, plan(state, wanted, 'all'))
}

describe('what was noted', () => {
  test('is recalled along every course of changes, and goes on as if nothing had been forgotten', () => {
    fc.assert(
      fc.property(fc.array(fc.array(arbitraryChange, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 12 }), (course) => {
        let accepted = adopt('ip', undefined)
        let wanted = nodeView([])
        let before: { readonly noted: string; readonly wanted: NodeView; readonly recalled: Accepted } | undefined
        for (const changes of course) {
          const next = changedView(wanted, changes)
          wanted = next.view
          const made = plan(accepted, wanted, next.changed)
          if (before) {
            // To the view after the one that it was taken of, it leads if and only if the kernel has nothing to do.
            expect(recall('ip', before.noted, wanted) === undefined).toBe(made.transaction !== undefined)
            expect(plan(before.recalled, wanted, next.changed).transaction).toEqual(made.transaction)
          }
          accepted = commit(accepted, made)
          const noted = note(accepted)!
          const found = recall('ip', noted, wanted)
          expect(found?.plan.transaction).toBeUndefined()
          expect(found?.plan.problems).toEqual(plan(adopt('ip', rulesetOf('ip', wanted)), wanted, 'all').problems)
          expect(note(found!.accepted)).toBe(noted)
          before = { noted, wanted, recalled: found!.accepted }
        }
      }),
      { numRuns: 150 },
    )
  })

  test.each(['ip', 'ip6'] as const)('is the same after a load of %s, after a read-back, and after a table was made anew', (family) => {
    const wanted = fullView(family)
    const state = adopt(family, undefined)
    const noted = note(commit(state, plan(state, wanted, 'all')))!
    const held = rulesetOf(family, wanted)
    for (const listing of [held, { ...held, chains: new Map([...held.chains].slice(1)) }]) {
      const adopted = adopt(family, listing)
      expect(note(commit(adopted, plan(adopted, wanted, 'all')))).toBe(noted)
    }
  })

  test('tells of sets that nothing needs any more, so that they are not made twice', () => {
    const state = loaded(view)
    const less = nodeView([{ ...service, ports: [portView({ endpoints: [endpointView('10.244.0.2')] })] }])
    const after = commit(state, plan(state, less, new Set(['default/web'])))
    const { accepted } = recall('ip', note(after)!, less)!
    const back = plan(accepted, view, new Set(['default/web'])).transaction!
    expect(back.operations.map(({ kind }) => kind)).toEqual(['delete-elements', 'add-elements'])
  })

  test.each<[string, NodeView]>([
    ['an endpoint has another port', nodeView([{ ...service, ports: [portView({ endpoints: [endpointView('10.244.0.2'), endpointView('10.244.0.3', { port: 8081 })] })] }])],
    ['two endpoints have changed places', nodeView([{ ...service, ports: [portView({ endpoints: [endpointView('10.244.0.3', { port: 8080 }), endpointView('10.244.0.4')] })] }])],
    ['a service has another name', nodeView([{ ...service, key: 'default/web2' }])],
    ['a service is gone', nodeView([])],
    ['there is one more', nodeView([service, serviceView({ key: 'default/b', clusterIPs: ['10.96.0.9'] })])],
    ['a pod range is another one', nodeView([service], nodeConfigOf({ pods: { kind: 'cidrs', cidrs: ['10.245.0.0/16'] } }))],
    ['a rule is another one', nodeView([service], nodeConfigOf({ masqueradeBit: 3 }))],
  ])('is not recalled where %s', (_, wanted) => {
    expect(recall('ip', note(loaded(view))!, view)).toBeDefined()
    expect(recall('ip', note(loaded(view))!, wanted)).toBeUndefined()
  })

  test.each(['', '{', 'null', '[]', '{"extensions":5}', '{"layout":[],"extensions":[],"elements":[]}'])('is not recalled of %j', (noted) => {
    expect(recall('ip', noted, view)).toBeUndefined()
  })

  test('is nothing before anything is known', () => {
    expect(note(adopt('ip', undefined))).toBeUndefined()
  })
})

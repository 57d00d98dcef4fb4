import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { mountsBelow } from '../../api/mountinfo.ts'
import { rootDifferences } from './leftovers.ts'
import { recallPlan, writeMemory } from './memory.ts'
import { createLabPlan, labDefaults } from './plan.ts'
import { findProgram, requirePrograms, requireRoot } from './preflight.ts'

describe('what may be left of a lab', () => {
  test('mounts at or below its directories, the deepest first', () => {
    const line = (path: string): string => `30 23 0:26 / ${path} rw - overlay overlay rw`
    const text = [line('/'), line('/s'), line('/s/a'), line('/s/a\\040b/c'), line('/sx'), line('/r/x'), ''].join('\n')
    expect(mountsBelow(text, ['/s', '/r'])).toEqual(['/r/x', '/s/a b/c', '/s/a', '/s'])
  })

  test("links and tables of the machine that came with the lab and are the lab's", () => {
    const plan = createLabPlan({ ...labDefaults, nodes: 1 })
    const before = { links: ['lo', 'eth0'], tables: ['table ip filter'] }
    const now = { links: ['lo', 'eth0', 'node1', 'docker0'], tables: ['table ip filter', 'table ip wherry', 'table inet other'] }
    expect(rootDifferences(plan, before, now)).toEqual([
      ['link', ['node1']],
      ['table', ['table ip wherry']],
    ])
    expect(rootDifferences(plan, now, now).flatMap(([, names]) => names)).toEqual([])
  })
})

describe('what a lab remembers', () => {
  let dir: string
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'wherry-memory-'))))
  afterEach(() => rmSync(dir, { recursive: true, force: true }))
  const wish = () => ({ name: 'wl', stateDir: join(dir, 's'), runDir: join(dir, 'r') })

  test('its shape counts for later commands; more nodes may come, fewer or another port not', () => {
    expect(recallPlan(wish()).memory).toBeUndefined()
    writeMemory(recallPlan({ ...wish(), nodes: 2, port: 7443 }).plan, { links: ['lo'], tables: [] })
    const again = recallPlan(wish())
    expect([again.plan.nodes.length, again.plan.port, again.memory?.before.links]).toEqual([2, 7443, ['lo']])
    expect(recallPlan({ ...wish(), nodes: 4, port: 7443 }).plan.nodes).toHaveLength(4)
    expect(() => recallPlan({ ...wish(), nodes: 1 })).toThrow('with 2 nodes')
    expect(() => recallPlan({ ...wish(), port: 6443 })).toThrow('on port 7443')
  })
})

describe('what the machine must have', () => {
  test('Linux and root', () => {
    expect(() => requireRoot('darwin', 0)).toThrow('needs Linux')
    expect(() => requireRoot('linux', 1000)).toThrow('only root')
    requireRoot('linux', 0)
  })

  test('programs on the path; all that are missing are named at once', () => {
    expect(findProgram('sh', '/nowhere:/bin')).toBe('/bin/sh')
    expect(() => requirePrograms('/nowhere', 'nftables')).toThrow(/lacks ip, nsenter, nft, .*kubectl/)
    expect(() => requirePrograms('/nowhere', 'ipvs')).toThrow(/ipvsadm/)
  })
})

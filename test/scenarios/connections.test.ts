/** The short form of the bench's connections: nothing that happens to agent and hub is felt by who connects to a virtual IP. */
import { expect, test } from 'vitest'
import { openSite } from '../bench/site.ts'
import { describeAsRoot } from '../kit/netns.ts'

const trouble = { connections: 5_000, changes: 100, kills: 4, outages: 1, clients: 1 }

describeAsRoot('new connections through virtual IPs', () => {
  test('none fails while endpoints change, the agent is killed and the hub is away', async () => {
    const site = await openSite()
    try {
      const { failed, ...counts } = await site.ask('connections', trouble)
      expect(failed).toEqual({})
      expect(counts).toMatchObject({ changes: 100, kills: 4, outages: 1 })
      expect(counts.made).toBeGreaterThanOrEqual(trouble.connections)
    } finally {
      await site.close()
    }
  })

  test('a hole in the rules is noticed', async () => {
    const site = await openSite()
    try {
      const { failed } = await site.ask('connections', { ...trouble, connections: 1_000, changes: 10, kills: 0, outages: 0, sabotage: true })
      expect(failed).toHaveProperty('ECONNREFUSED')
    } finally {
      await site.close()
    }
  })
})

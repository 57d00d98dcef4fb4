/** The short form of the bench's connections: nothing that happens to agent and hub is felt by who connects to a virtual IP. */
import { expect, test } from 'vitest'
import { connectInTrouble, type Connections, type Trouble } from '../bench/measures/connections.ts'
import { openStage } from '../bench/stage/stage.ts'
import { describeAsRoot } from '../kit/netns.ts'

async function connect(trouble: Trouble): Promise<Connections> {
  const stage = await openStage()
  try {
    return await stage.inside(() => connectInTrouble(stage, trouble))
  } finally {
    await stage.close()
  }
}

describeAsRoot('new connections through virtual IPs', () => {
  test('none fails while endpoints change, the agent is killed and the hub is away', async () => {
    const { failed, made, changes } = await connect({ connections: 5_000, changes: 100, kills: 4, outages: 1, clients: 1 })
    expect(failed).toEqual({})
    expect(made).toBeGreaterThanOrEqual(5_000)
    expect(changes).toBeGreaterThanOrEqual(100)
  })

  test('a hole in the rules is noticed', async () => {
    const { failed } = await connect({ connections: 1_000, changes: 10, kills: 0, outages: 0, clients: 1, sabotage: true })
    expect(failed).toHaveProperty('ECONNREFUSED')
  })
})

import { expect, test } from 'vitest'
import type { Operation } from './model.ts'
import { render } from './render.ts'

test('chains are named first, and go last', () => {
  const nat: readonly Operation[] = [
    { kind: 'set-chain', chain: 'A', rules: ['-j B'] },
    { kind: 'delete-chain', chain: 'B' },
  ]
  expect(render({ family: 'ip', operations: { nat, filter: [] } })).toBe('*nat\n:A - [0:0]\n:B - [0:0]\n-A A -j B\n-X B\nCOMMIT\n')
})

test('a load may be as large as it likes', () => {
  const chains = 200_000
  const nat = Array.from({ length: chains }, (_, n): Operation => ({ kind: 'set-chain', chain: `C${n}`, rules: ['-j RETURN', '-j ACCEPT'] }))
  const text = render({ family: 'ip', operations: { nat, filter: [] } })
  expect(text.split('\n')).toHaveLength(3 * chains + 3)
})

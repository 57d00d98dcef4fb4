import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{api,rules,server,agent,cli,test}/**/*.test.ts'],
    pool: 'forks',
    // libnftables is called through node:ffi; the agents run with the same flags.
    execArgv: ['--experimental-ffi', '--disable-warning=ExperimentalWarning'],
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
    restoreMocks: true,
  },
})

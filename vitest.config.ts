import { defineConfig } from 'vitest/config'
import { etcdProject } from './test/kit/etcd-project.ts'
import { vmFiles, vmProject } from './test/vm/project.ts'

export default defineConfig({
  test: {
    pool: 'forks',
    // libnftables is called through node:ffi; the agents run with the same flags.
    execArgv: ['--experimental-ffi', '--disable-warning=ExperimentalWarning'],
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
    restoreMocks: true,
    projects: [
      {
        extends: true,
        test: { name: 'here', include: ['{api,rules,server,agent,cli,test}/**/*.test.ts'], exclude: [vmFiles, '**/node_modules/**'] },
      },
      etcdProject(),
      vmProject([vmFiles]),
    ],
  },
})

/** The behaviour suite of test/routing as it runs on a machine of the cluster, whose kernel has all modes. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: `${import.meta.dirname}/../..`,
    include: ['test/routing/kernel-{nftables,iptables,ipvs.vm}.test.ts'],
    pool: 'forks',
    execArgv: ['--experimental-ffi', '--disable-warning=ExperimentalWarning'],
    maxWorkers: 1,
    isolate: false,
    // Node loads the files by itself: an emulated processor feels every detour.
    experimental: { viteModuleRunner: false },
    testTimeout: 120_000,
    hookTimeout: 240_000,
  },
})

import { kernelSuite } from '../../test/routing/kernel-suite.ts'

kernelSuite('iptables')

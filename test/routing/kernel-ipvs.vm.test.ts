import { kernelSuite } from './kernel-suite.ts'

kernelSuite('ipvs')

/** Copies an open descriptor out of another process: pidfd_open(2) and pidfd_getfd(2), Linux 5.6 and glibc 2.36. */
import { dlopen } from 'node:ffi'

/**
 * @param descriptor its number in the other process
 * @returns the number here, or undefined where the kernel, the library or the process says no
 */
export function copyDescriptor(pid: number, descriptor: number): number | undefined {
  try {
    const { functions } = dlopen('libc.so.6', {
      pidfd_open: { arguments: ['i32', 'u32'], return: 'i32' },
      pidfd_getfd: { arguments: ['i32', 'i32', 'u32'], return: 'i32' },
      close: { arguments: ['i32'], return: 'i32' },
    })
    const pidfd = functions.pidfd_open(pid, 0)
    if (pidfd < 0) return undefined
    const copy = functions.pidfd_getfd(pidfd, descriptor, 0)
    functions.close(pidfd)
    return copy < 0 ? undefined : copy
  } catch {
    return undefined
  }
}

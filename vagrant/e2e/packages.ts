/** The Debian packages that the run needs. */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import type { GroundDeps } from './ground.ts'

/** What must be there, and the Debian package that brings it. A file counts, whichever package it came with. */
const needed: Readonly<Record<string, string>> = {
  '/usr/bin/vagrant': 'vagrant',
  '/usr/share/doc/vagrant-libvirt': 'vagrant-libvirt',
  '/usr/sbin/libvirtd': 'libvirt-daemon',
  '/etc/libvirt': 'libvirt-daemon-system',
  '/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so': 'libvirt-daemon-driver-qemu',
  '/usr/bin/virsh': 'libvirt-clients',
  '/usr/bin/qemu-system-x86_64': 'qemu-system-x86',
  '/usr/bin/qemu-img': 'qemu-utils',
  '/usr/bin/mmdebstrap': 'mmdebstrap',
  '/usr/sbin/dnsmasq': 'dnsmasq-base',
  '/usr/bin/ssh': 'openssh-client',
  '/usr/bin/rsync': 'rsync',
  '/usr/bin/extlinux': 'extlinux',
  '/usr/lib/EXTLINUX/mbr.bin': 'syslinux-common',
  '/sbin/sfdisk': 'fdisk',
  '/usr/bin/kubectl': 'kubernetes-client',
  '/usr/bin/curl': 'curl',
}

const noStart = '/usr/sbin/policy-rc.d'

/** Installs what this machine lacks. @returns the names of the packages */
export async function installPackages({ exec, signal }: Pick<GroundDeps, 'exec' | 'signal'>): Promise<readonly string[]> {
  const lacking = Object.entries(needed).flatMap(([file, name]) => (existsSync(file) ? [] : [name]))
  if (lacking.length === 0) return []
  const ours = !existsSync(noStart)
  // None of the packages' services is to start by itself.
  if (ours) writeFileSync(noStart, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    await exec.run(['apt-get', '-qq', 'update'], { signal, timeoutMs: 600_000 })
    const install = ['apt-get', '-qq', '-o', 'Dpkg::Use-Pty=0', 'install', '-y', '--no-install-recommends', ...lacking]
    await exec.run(['env', 'DEBIAN_FRONTEND=noninteractive', ...install], { signal, timeoutMs: 1_200_000 })
  } finally {
    if (ours) rmSync(noStart)
  }
  return lacking
}

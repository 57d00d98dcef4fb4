import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLog } from '../../api/log.ts'
import { publicKeyHash } from '../../cli/join.ts'
import { openPki } from '../../server/auth/pki.ts'
import { openToken } from '../../server/auth/tokens.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = join(root, 'vagrant')
const path = [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter)
const has = (program: string): boolean => path.split(delimiter).some((dir) => existsSync(join(dir, program)))
const env = { PATH: path }
const under = (title: string, missing: string | false, body: () => void) => describe.skipIf(missing)(missing ? `${title} (skipped: ${missing})` : title, body)

let dir: string
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'wherry-vagrant-'))))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const scripts = ['provision', 'box'].flatMap((name) => readdirSync(join(folder, name)).filter((f) => f.endsWith('.sh')).map((f) => join('vagrant', name, f)))

describe('the scripts', () => {
  test.each(scripts)('%s is a program, or says that it is none', (script) => {
    const [first = ''] = readFileSync(join(root, script), 'utf8').split('\n')
    expect(first).toMatch(/^#!\/bin\/(sh|bash)$|^# shellcheck shell=sh/)
  })

  test.skipIf(!has('shellcheck'))(`have nothing that shellcheck finds${has('shellcheck') ? '' : ' (skipped: no shellcheck)'}`, async () => {
    const { stdout } = await execa('shellcheck', ['-x', ...scripts], { cwd: root, env, reject: false })
    expect(stdout).toBe('')
  })

  test('the units name programs and folders of the project as it is laid out', () => {
    for (const name of ['hub', 'agent']) {
      const unit = readFileSync(join(folder, 'provision/units', `wherry-${name}.service`), 'utf8')
      const named = [...unit.matchAll(/\/opt\/wherry\/([\w./-]+)/g)].map((m) => m[1]!).filter((file) => !file.startsWith('node_modules'))
      expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([])
      expect(unit).toContain('NoNewPrivileges=yes')
    }
    // A view of its own onto the file system would hide the pods' namespaces from containerd.
    const agent = readFileSync(join(folder, 'provision/units/wherry-agent.service'), 'utf8')
    expect(agent).not.toMatch(/^(Protect(System|Home|Kernel\w+|ControlGroups|Proc)|Private(Tmp|Devices)|ReadOnlyPaths|RestrictNamespaces)=/m)
  })
})

under('the Vagrantfile', !has('vagrant') && 'no vagrant', () => {
  const settings = () => ({ ...env, HOME: dir, VAGRANT_HOME: join(dir, 'home'), VAGRANT_DOTFILE_PATH: join(dir, 'dot'), VAGRANT_CHECKPOINT_DISABLE: '1', VAGRANT_NO_COLOR: '1' })

  test('is valid, for each box, mode and number of workers', async () => {
    for (const more of [{}, { WHERRY_WORKERS: '5', WHERRY_BOX: 'ubuntu-24.04', WHERRY_MODE: 'ipvs' }]) {
      const { stdout } = await execa('vagrant', ['validate'], { cwd: folder, env: { ...settings(), ...more }, extendEnv: false })
      expect(stdout).toContain('validated successfully')
    }
  }, 120_000)

  test('names a hub and two workers, and says what is wrong with another number', async () => {
    const { stdout } = await execa('vagrant', ['status', '--machine-readable'], { cwd: folder, env: { ...settings(), VAGRANT_DEFAULT_PROVIDER: 'libvirt' }, extendEnv: false })
    const names = [...stdout.matchAll(/^\d+,([\w-]+),state,/gm)].map((m) => m[1])
    expect(names).toEqual(['hub', 'worker1', 'worker2'])
    const bad = await execa('vagrant', ['status'], { cwd: folder, env: { ...settings(), WHERRY_WORKERS: '81' }, extendEnv: false, reject: false })
    expect(bad.exitCode).not.toBe(0)
    expect(bad.stderr).toContain('WHERRY_WORKERS=81: from 0 to 80 workers')
  }, 120_000)
})

under('what the host makes', !has('ruby') && 'no ruby', () => {
  const ruby = (text: string) => execa('ruby', ['-r', join(folder, 'host.rb'), '-e', text, 'up'], { env: { ...env, VAGRANT_DOTFILE_PATH: join(dir, 'ruby') }, extendEnv: false })

  test("a CA and a token that a hub takes for its own, and the CA's hash", async () => {
    const { stdout } = await ruby('seed = Wherry.seed; puts seed.pki, seed.token, seed.ca_hash; p Wherry.seed == seed')
    const [pki, token, hash, same] = stdout.split('\n') as [string, string, string, string]
    expect(same).toBe('true')
    const ca = readFileSync(join(pki, 'ca.crt'), 'utf8')
    expect(publicKeyHash(ca)).toBe(hash)
    expect(openToken(join(dir, 'ruby/wherry/join-token'))).toBe(token)
    const log = createLog({ level: 'error', write: () => {}, now: () => 0 })
    const opened = openPki({ dir: pki, names: ['192.0.2.10'], log, now: () => Date.now() })
    expect(opened.ca).toBe(ca)
    expect(opened.server.certificate).toContain('BEGIN CERTIFICATE')
  })

  test('an archive of the checkout without what does not belong into a machine, made once', async () => {
    const { stdout } = await ruby('puts Wherry.project, Wherry.project')
    const [archive, again] = stdout.split('\n') as [string, string]
    expect(again).toBe(archive)
    const listed = (await execa('tar', ['-tzvf', archive])).stdout.split('\n')
    const names = listed.map((line) => line.split(/\s+/).at(-1)!)
    expect(names).toEqual(expect.arrayContaining(['package-lock.json', 'vagrant/provision/install.sh', 'agent/main.ts', 'server/main.ts']))
    expect(names.filter((name) => /(^|\/)(\.git|node_modules|\.vagrant)\//.test(name))).toEqual([])
    expect(listed.find((line) => line.endsWith(' bin/wherry'))).toMatch(/^-rwxr-xr-x/)
    expect(listed.find((line) => line.endsWith(' README.md'))).toMatch(/^-rw-r--r--/)
  })

  test('nothing for commands that bring nothing into machines', async () => {
    const folderBefore = join(dir, 'none')
    const { stdout } = await execa('ruby', ['-r', join(folder, 'host.rb'), '-e', 'puts File.exist?(Wherry.project), Wherry.seed.token', 'status'], { env: { ...env, VAGRANT_DOTFILE_PATH: folderBefore }, extendEnv: false })
    expect([stdout.trim(), existsSync(folderBefore)]).toEqual(['true', false])
  })
})

const packages = readFileSync(join(folder, 'provision/packages.txt'), 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'))
const lacking = has('dpkg-query') ? packages.filter((name) => !existsSync(`/var/lib/dpkg/info/${name}.list`) && !existsSync(`/var/lib/dpkg/info/${name}:amd64.list`)) : packages
const why = process.getuid?.() !== 0 ? 'not root' : process.platform !== 'linux' ? 'not Linux' : lacking.length > 0 && `this machine lacks ${lacking.join(', ')}`

under('the installation, in a root of its own', why, () => {
  /** The machine's own root, with an overlay for what is written; no network. */
  const install = (upper: string, ...options: readonly string[]) => {
    const at = (name: string): string => join(upper, name)
    for (const name of ['up', 'work', 'root']) mkdirSync(at(name), { recursive: true })
    const script = [
      'set -e',
      `mount -t tmpfs none ${at('root')} && mkdir ${at('root')}/m ${at('root')}/u ${at('root')}/w`,
      `mount -t overlay overlay -o lowerdir=/,upperdir=${at('root')}/u,workdir=${at('root')}/w ${at('root')}/m`,
      `mount --bind ${root} ${at('root')}/m/mnt && mount -t proc proc ${at('root')}/m/proc && mount --rbind /dev ${at('root')}/m/dev`,
      `mkdir -p ${at('root')}/m/opt/wherry/node_modules/node/bin ${at('root')}/m/usr/local/share/wherry`,
      `sha256sum ${root}/package-lock.json | cut -d' ' -f1 >${at('root')}/m/opt/wherry/node_modules/.wherry-lock`,
      `printf '#!/bin/sh\\n' >${at('root')}/m/opt/wherry/node_modules/node/bin/node; chmod 755 ${at('root')}/m/opt/wherry/node_modules/node/bin/node`,
      `echo image >${at('root')}/m/usr/local/share/wherry/echo-image.tar`,
      `for turn in 1 2; do chroot ${at('root')}/m sh /mnt/vagrant/provision/install.sh --root ${options.join(' ')}; done`,
      `chroot ${at('root')}/m sh -c 'id -un wherry; ls /etc/systemd/system/wherry-*; readlink /usr/local/bin/wherry; ls /opt/wherry/agent/main.ts'`,
    ].join('\n')
    return execa('unshare', ['--mount', '--net', '--pid', '--fork', '--propagation', 'private', 'sh', '-c', script], { env, extendEnv: false, reject: false, all: true })
  }

  test('does each step, and nothing the second time', async () => {
    const before = existsSync('/etc/systemd/system/wherry-hub.service')
    const { all, exitCode } = await install(join(dir, 'install'))
    expect(exitCode, all).toBe(0)
    const lines = all.split('\n').filter((line) => line.startsWith('  ✓'))
    const said = lines.map((line) => line.replace(/^ {2}✓ /, '').replace(/ \([\d.]+ s\)$/, ''))
    expect(said.slice(0, 5)).toEqual(['packages: nothing to do', 'project: /opt/wherry', 'npm packages: nothing to do', 'services: units', 'demo image: /usr/local/share/wherry/echo-image.tar'])
    expect(said[8]).toBe('services: nothing to do')
    expect(all).toMatch(/wherry\n\/etc\/systemd\/system\/wherry-agent.service\n\/etc\/systemd\/system\/wherry-hub.service\n\/opt\/wherry\/bin\/wherry\n\/opt\/wherry\/agent\/main.ts/)
    expect(existsSync('/etc/systemd/system/wherry-hub.service')).toBe(before)
  }, 60_000)

  test.each([
    [['--hub', 'a', '--join', 'b'], '--hub and --join exclude each other'],
    [['--join', 'https://h:6443'], '--join needs --token and --ca-cert-hash'],
    [['--proxy-mode', 'tables'], '--proxy-mode tables: expected nftables, iptables or ipvs'],
    [['--node'], '--node needs a value'],
    [['--what'], 'unknown option --what'],
  ])('%o is refused with the way out', async (options, words) => {
    const { exitCode, stderr } = await execa('sh', [join(folder, 'provision/install.sh'), ...options], { env, extendEnv: false, reject: false })
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(words)])
    expect(stderr).toContain('--help')
  })
})

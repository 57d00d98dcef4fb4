import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { isWherryError } from '../../../api/errors.ts'
import type { Deployment, Service } from '../../../api/objects.ts'
import { buildEchoImage, echoImageName } from './image.ts'
import { udpEcho } from './udp-echo.ts'
import { ustar } from './ustar.ts'

const busybox = Buffer.from('not really busybox')

/** The files of an archive, read by the fields that a reader of ustar goes by. */
function untar(archive: Uint8Array): ReadonlyMap<string, Buffer> {
  const bytes = Buffer.from(archive)
  const text = (at: number, length: number): string => bytes.toString('latin1', at, at + length).split('\0')[0]!
  const files = new Map<string, Buffer>()
  for (let at = 0; bytes[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8)
    const header = Buffer.from(bytes.subarray(at, at + 512)).fill(' ', 148, 156)
    expect(Number.parseInt(text(at + 148, 8), 8)).toBe(header.reduce((sum, byte) => sum + byte, 0))
    files.set(text(at, 100), bytes.subarray(at + 512, at + 512 + size))
    at += 512 * (1 + Math.ceil(size / 512))
  }
  return files
}

interface Descriptor {
  readonly digest: string
  readonly size: number
}

describe('an archive', () => {
  test('keeps files, folders and links apart, and is padded to whole blocks', () => {
    const archive = ustar([
      { kind: 'directory', path: 'd' },
      { kind: 'file', path: 'd/f', bytes: Buffer.from('text'), executable: true },
      { kind: 'link', path: 'd/l', target: 'f' },
    ])
    expect(archive.length % 512).toBe(0)
    expect([...untar(archive)].map(([path, bytes]) => `${path}=${bytes.toString()}`)).toEqual(['d/=', 'd/f=text', 'd/l='])
    expect(Buffer.from(archive).toString('latin1', 512 + 100, 512 + 107)).toBe('0000755')
  })

  test('a path that does not fit is refused', () => {
    const refused = (): unknown => ustar([{ kind: 'directory', path: 'x'.repeat(100) }])
    expect(refused).toThrow(expect.toSatisfy((e: unknown) => isWherryError(e, 'USAGE')) as Error)
  })
})

describe('the image', () => {
  const image = (): ReadonlyMap<string, Buffer> => untar(buildEchoImage({ busybox, architecture: 'amd64' }))

  test('every descriptor, from the index down, names a blob by its digest and size', () => {
    const files = image()
    const blob = ({ digest, size }: Descriptor): Buffer => {
      const bytes = files.get(`blobs/sha256/${digest.replace('sha256:', '')}`)!
      expect(bytes.length).toBe(size)
      expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(digest)
      return bytes
    }
    const parse = (bytes: Buffer): unknown => JSON.parse(bytes.toString())
    const index = parse(files.get('index.json')!) as { manifests: (Descriptor & { annotations: Record<string, string> })[] }
    expect(index.manifests.map((m) => m.annotations['io.containerd.image.name'])).toEqual([echoImageName])
    const manifest = parse(blob(index.manifests[0]!)) as { config: Descriptor; layers: Descriptor[] }
    const config = parse(blob(manifest.config)) as { architecture: string; rootfs: { diff_ids: string[] } }
    expect(config.architecture).toBe('amd64')
    expect(manifest.layers.map((l) => l.digest)).toEqual(config.rootfs.diff_ids)
    const root = untar(blob(manifest.layers[0]!))
    expect(root.get('bin/busybox')?.toString()).toBe(busybox.toString())
    expect(root.get('bin/echo-server')?.toString()).toContain('httpd -f -p 8080')
  })

  test('equal input gives equal bytes, and what goes in shows', () => {
    const bytes = (from: string): string => Buffer.from(buildEchoImage({ busybox: Buffer.from(from), architecture: 'arm64' })).toString('hex')
    expect(bytes('a')).toBe(bytes('a'))
    expect(bytes('a')).not.toBe(bytes('b'))
  })

  test('an architecture that the UDP server was not written for is refused with a way out', () => {
    expect(() => buildEchoImage({ busybox, architecture: 'riscv64' })).toThrow(
      expect.objectContaining({ code: 'SETUP', advice: expect.stringContaining('amd64 or arm64') as string }) as Error,
    )
  })
})

test.each([
  ['amd64', 62, 0xfa],
  ['arm64', 183, 0x118],
] as const)('the UDP server for %s is an ELF program that holds all of its listing', (architecture, machine, codeBytes) => {
  const file = Buffer.from(udpEcho(architecture))
  expect(file.toString('latin1', 1, 4)).toBe('ELF')
  expect(file.readUInt16LE(18)).toBe(machine)
  expect(file.length).toBe(64 + 56 + codeBytes)
  expect(file.readBigUInt64LE(24)).toBe(0x400000n + 120n)
  expect(file.readBigUInt64LE(64 + 32)).toBe(BigInt(file.length))
})

test('the demo runs this image, and serves both protocols on the port that the image listens on', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../vagrant/demo/web.yaml'), 'utf8')
  const [deployment, service] = parseAllDocuments(text).map((d) => d.toJS() as Record<string, never>)
  const container = (deployment as unknown as Deployment).spec!.template.spec!.containers[0]!
  expect(container.image).toBe(echoImageName)
  expect(container.env?.map((e) => e.name)).toEqual(['POD_NAME', 'NODE_NAME', 'POD_IP'])
  const { spec } = service as unknown as Service
  expect(spec?.type).toBe('NodePort')
  expect(spec?.ports?.map((p) => [p.name, p.protocol, p.port, p.targetPort])).toEqual([
    ['http', 'TCP', 80, 8080],
    ['echo', 'UDP', 80, 8080],
  ])
  expect(container.ports?.map((p) => [p.protocol, p.containerPort])).toEqual([
    ['TCP', 8080],
    ['UDP', 8080],
  ])
})

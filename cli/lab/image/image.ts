/**
 * The demo's container image, made of busybox and a few lines of shell: an OCI image layout in one tar archive, as
 * `ctr images import` takes it (OCI image-spec 1.0). The same input gives the same bytes, so also the same digests.
 */
import { createHash } from 'node:crypto'
import { CliError } from '../../error.ts'
import { udpEcho, type Architecture } from './udp-echo.ts'
import { ustar, type TarEntry } from './ustar.ts'

export const echoImageName = 'wherry.local/echo:1'

export interface EchoImageInput {
  /** A statically linked busybox with sh and httpd. */
  readonly busybox: Uint8Array
  /** Of the busybox, as Go names it: amd64 or arm64. */
  readonly architecture: string
}

/** Applets beside those that the server needs, for people who look around in the container. */
const applets = ['cat', 'env', 'hostname', 'httpd', 'ip', 'ls', 'nc', 'netstat', 'nslookup', 'ping', 'ps', 'sh', 'sleep', 'wget']

/** What one answer says is made of what the pod's manifest puts into the environment. */
const server = `#!/bin/sh
# Answers every HTTP request and every datagram on port 8080 with one line: who answers, where, and whom.
echo "pod $POD_NAME on $NODE_NAME answers HTTP and UDP on port 8080"
udp-echo "pod=$POD_NAME node=$NODE_NAME peer=" &
udp=$!
httpd -f -p 8080 -h /www &
http=$!
# Nodes hear a little later than we that no more should come, and what has come wants its answer.
trap 'sleep 1; kill $udp $http; exit 0' TERM INT
# As process 1 we are also told of the ends of orphans, such as what answered a request.
while kill -0 $udp && kill -0 $http; do wait -n; done 2>/dev/null
echo "a server ended, and so does this container" >&2
kill $udp $http 2>/dev/null
exit 1
`

/** httpd writes an IPv4 peer as `[::ffff:192.0.2.1]`. */
const answer = `#!/bin/sh
peer=$REMOTE_ADDR
case $peer in '[::ffff:'*)
  peer=\${peer#'[::ffff:'}
  peer=\${peer%]}
esac
echo "$REQUEST_METHOD from $peer" >&2
printf 'Content-Type: text/plain\\r\\n\\r\\npod=%s node=%s peer=%s\\n' "$POD_NAME" "$NODE_NAME" "$peer"
`

/**
 * @returns a tar archive
 * @throws CliError SETUP for an architecture that the UDP server has not been written for
 */
export function buildEchoImage(input: EchoImageInput): Uint8Array {
  const { busybox } = input
  const architecture = knownArchitecture(input.architecture)
  const layer = ustar(rootFiles(busybox, architecture))
  const config = json({
    architecture,
    os: 'linux',
    config: {
      Entrypoint: ['/bin/echo-server'],
      Env: ['PATH=/bin', 'POD_NAME=unknown', 'NODE_NAME=unknown'],
      ExposedPorts: { '8080/tcp': {}, '8080/udp': {} },
      WorkingDir: '/',
    },
    rootfs: { type: 'layers', diff_ids: [digest(layer)] },
  })
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...descriptor(config) },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...descriptor(layer) }],
  })
  const index = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        ...descriptor(manifest),
        annotations: {
          'io.containerd.image.name': echoImageName,
          'org.opencontainers.image.ref.name': echoImageName.split(':')[1],
        },
        platform: { architecture, os: 'linux' },
      },
    ],
  })
  const blob = (bytes: Uint8Array): TarEntry => file(`blobs/sha256/${digest(bytes).slice('sha256:'.length)}`, bytes)
  return ustar([
    directory('blobs'),
    directory('blobs/sha256'),
    ...[config, layer, manifest].map(blob),
    file('index.json', index),
    file('oci-layout', json({ imageLayoutVersion: '1.0.0' })),
  ])
}

function rootFiles(busybox: Uint8Array, architecture: Architecture): readonly TarEntry[] {
  return [
    ...['bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp', 'www', 'www/cgi-bin'].map(directory),
    program('bin/busybox', busybox),
    program('bin/echo-server', Buffer.from(server)),
    program('bin/udp-echo', udpEcho(architecture)),
    ...applets.map((name): TarEntry => ({ kind: 'link', path: `bin/${name}`, target: 'busybox' })),
    file('etc/passwd', Buffer.from('root:x:0:0:root:/:/bin/sh\n')),
    // httpd runs this one for a folder that has no index.html.
    program('www/cgi-bin/index.cgi', Buffer.from(answer)),
  ]
}

function knownArchitecture(name: string): Architecture {
  if (name === 'amd64' || name === 'arm64') return name
  const advice = 'use a machine with an amd64 or arm64 processor, or an image of your own'
  throw new CliError('SETUP', `the demo image cannot be made for ${name}`, advice)
}

const directory = (path: string): TarEntry => ({ kind: 'directory', path })
const file = (path: string, bytes: Uint8Array): TarEntry => ({ kind: 'file', path, bytes, executable: false })
const program = (path: string, bytes: Uint8Array): TarEntry => ({ kind: 'file', path, bytes, executable: true })
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const digest = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const descriptor = (bytes: Uint8Array): { digest: string; size: number } => ({ digest: digest(bytes), size: bytes.length })

/** Finds what an image says of itself, by way of containerd's content store (OCI image-spec: index, manifest, config). */
import { RuntimeError } from './error.ts'

export interface ImageConfig {
  /** Digest of the index or manifest that the image's name points to. */
  readonly digest: string
  readonly entrypoint: readonly string[]
}

interface Manifest {
  readonly config?: { readonly digest: string }
  readonly manifests?: readonly {
    readonly digest: string
    readonly platform?: { readonly os?: string; readonly architecture?: string }
  }[]
}

/**
 * @param blob reads a blob of the content store as text
 * @param architecture as Go names it: amd64, arm64
 * @throws RuntimeError CONTAINER_CONFIG where the image has nothing for this machine
 */
export async function readImageConfig(
  digest: string,
  architecture: string,
  blob: (digest: string) => Promise<string>,
): Promise<ImageConfig> {
  let manifest = JSON.parse(await blob(digest)) as Manifest
  if (manifest.manifests) {
    const ours =
      manifest.manifests.find((m) => m.platform?.os === 'linux' && m.platform.architecture === architecture) ??
      manifest.manifests.find((m) => m.platform === undefined)
    if (!ours) {
      const what = `the image ${digest} has no variant for linux/${architecture}`
      throw new RuntimeError('CONTAINER_CONFIG', `${what}; build or pull one that has`)
    }
    manifest = JSON.parse(await blob(ours.digest)) as Manifest
  }
  if (!manifest.config) throw new RuntimeError('CONTAINER_CONFIG', `the image ${digest} has no config; import it anew`)
  const config = JSON.parse(await blob(manifest.config.digest)) as { config?: { Entrypoint?: string[] | null } }
  return { digest, entrypoint: config.config?.Entrypoint ?? [] }
}

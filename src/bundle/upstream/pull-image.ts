import { join } from 'node:path';
import { KeelsonError } from '../../errors/keelson-error.js';
import { blobsOfManifest } from '../image.js';
import type { BundleImage } from '../lock.js';
import { mirroredRegistry } from '../mirrors.js';
import { type Manifest, type Registry, registryClient } from '../registry/client.js';
import { parseReference } from '../registry/reference.js';
import { writeWhole } from '../store.js';
import { isThere, type Pull } from './pull-context.js';
import type { UpstreamImage } from './sources.js';

/** Takes an image out of its registry: all blobs, or digests only where hosts pull it by themselves. */
export async function pullImage(pull: Pull, { name, reference, roles }: UpstreamImage): Promise<BundleImage> {
  const { registry: host, repository, version } = parseReference(reference);
  const endpoint = mirroredRegistry(pull.mirrors, host, pull.saved ?? new Map());
  const registry = pull.registries.get(host) ?? registryClient(pull.client, endpoint, pull.retry);
  pull.registries.set(host, registry);
  const manifest = await pull.limit(() => registry.manifest(repository, version, pull.architecture));
  const rest = blobsOfManifest(manifest.bytes);
  if (rest === null)
    throw new KeelsonError(
      'BUNDLE',
      `${reference}: its manifest (${manifest.mediaType}) is of no kind that keelson knows`,
      {
        hint: 'choose another version, or a mirror that has the image as it was published',
      },
    );
  if (pull.imagesBy === undefined) {
    await writeWhole(join(pull.store, manifest.sha256), manifest.bytes);
    await Promise.all(
      rest.map((blob) => {
        const started =
          pull.underWay.get(blob.sha256) ?? pull.limit(() => pullBlob(pull, registry, repository, blob));
        pull.underWay.set(blob.sha256, started);
        return started;
      }),
    );
  }
  // What a tag names is the index, where there is one: hosts that pull it have that.
  const named =
    pull.imagesBy === undefined ? manifest : await pull.limit(() => registry.document(repository, version));
  const above = named.sha256 === manifest.sha256 ? [] : [descriptorOf(named)];
  const blobs = [...above, descriptorOf(manifest), ...rest];
  pull.onEvent?.({
    kind: 'image',
    reference,
    digest: `sha256:${named.sha256}`,
    size: blobs.reduce((sum, { size }) => sum + size, 0),
  });
  return {
    name,
    reference,
    digest: `sha256:${named.sha256}`,
    size: named.bytes.length,
    blobs,
    roles: [...roles],
  };
}

async function pullBlob(
  { store }: Pull,
  registry: Registry,
  repository: string,
  { sha256, size }: { sha256: string; size: number },
): Promise<void> {
  const file = join(store, sha256);
  if (!(await isThere(file))) await registry.blob(repository, { sha256, size, file });
}

function descriptorOf({ sha256, bytes, mediaType }: Manifest) {
  return { sha256, size: bytes.length, mediaType };
}

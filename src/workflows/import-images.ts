import { imagesArchive } from '../bundle/archive.js';
import type { Bundle } from '../bundle/bundle.js';
import type { BundleImage } from '../bundle/lock.js';
import type { ImageChange } from '../engine/types.js';
import type { Host } from '../host/types.js';
import { REGISTRY_CONFIG_DIRECTORY } from '../manifests/containerd.js';

const CTR = ['ctr', '--namespace', 'k8s.io'];

/** What keeps the kubelet's garbage collection from images that no container uses yet. */
const PIN = `for reference in "$@"; do
  ${CTR.join(' ')} images label "$reference" io.cri-containerd.pinned=pinned >/dev/null || exit 1
done
`;

/**
 * Streams images into a host's containerd; blobs that its content store has are not sent again. They are pinned:
 * nobody could pull them again where they come from a bundle.
 */
export async function importImages(
  bundle: Bundle,
  host: Host,
  images: readonly ImageChange[],
  signal: AbortSignal,
): Promise<void> {
  const wanted = bundle.lock.images.filter((image) =>
    images.some((change) => change.reference === image.reference),
  );
  if (bundle.lock.imagesBy === 'host') return pullImages(host, wanted, signal);
  const content = await host.query([...CTR, 'content', 'list', '--quiet'], { acceptCodes: 'any', signal });
  const present = new Set(
    content.stdout
      .toString('utf8')
      .split('\n')
      .map((line) => line.replace('sha256:', '').trim()),
  );
  // The client-side import takes less than half the time of the transfer service's.
  await host.exec([...CTR, 'images', 'import', '--local', '-'], {
    stdin: imagesArchive(bundle, wanted, { omitBlobs: present }),
    timeoutMs: 0,
    signal,
  });
  const references = wanted.map((image) => image.reference);
  await host.script({ name: 'images/pin', text: PIN, args: references }, { signal });
}

/** Lets a host pull images by digest, and then name them as manifests do. Mirrors are as containerd has them. */
async function pullImages(host: Host, images: readonly BundleImage[], signal: AbortSignal): Promise<void> {
  for (const { reference, digest } of images) {
    const pinned = `${reference.slice(0, reference.lastIndexOf(':'))}@${digest}`;
    const options = { timeoutMs: 0, signal };
    await host.exec([...CTR, 'images', 'pull', '--hosts-dir', REGISTRY_CONFIG_DIRECTORY, pinned], options);
    await host.exec([...CTR, 'images', 'tag', '--force', pinned, reference], options);
    await host.exec([...CTR, 'images', 'remove', pinned], options);
  }
}

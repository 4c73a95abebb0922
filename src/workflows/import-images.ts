import { imagesArchive } from '../bundle/archive.js';
import type { Bundle } from '../bundle/bundle.js';
import type { ImageChange } from '../engine/types.js';
import type { Host } from '../host/types.js';

const CTR = ['ctr', '--namespace', 'k8s.io'];

/** Streams images into a host's containerd; blobs that its content store has are not sent again. */
export async function importImages(
  bundle: Bundle,
  host: Host,
  images: readonly ImageChange[],
  signal: AbortSignal,
): Promise<void> {
  const wanted = bundle.lock.images.filter((image) =>
    images.some((change) => change.reference === image.reference),
  );
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
}

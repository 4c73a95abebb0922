import { stat } from 'node:fs/promises';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Bundle } from '../bundle.js';
import { finishDirectory, linkBlobs } from '../directory.js';
import { type BundleImage, type BundleLock, type BundleRole, locksByArchitecture } from '../lock.js';
import { parseReference } from '../registry/reference.js';
import { verifyBundle } from '../verify.js';
import { type Pull, type PullOptions, storedFile, withPull } from './pull-context.js';
import { pullImage } from './pull-image.js';

/** What a cluster file wants beside what every cluster does. */
export interface Extras {
  /** Fully qualified references. */
  images: readonly string[];
  manifests: readonly { url: string; sha256: string }[];
}

const EVERY_NODE: readonly BundleRole[] = ['control-plane', 'worker'];

/**
 * Adds images, for each architecture of a bundle, and manifests to it; what it has already stays as it is.
 * @throws KeelsonError BUNDLE (not there, other content), AUTHENTICATION, CONNECTION
 */
export async function addExtras(
  bundle: Bundle,
  extras: Extras,
  options: Omit<PullOptions, 'kubernetesVersion' | 'architecture' | 'outDir'>,
): Promise<Bundle> {
  const { dir, lock } = bundle;
  const { kubernetesVersion, architecture } = lock;
  return withPull({ ...options, kubernetesVersion, architecture, outDir: () => dir }, async (pull) => {
    const manifests = [...(lock.manifests ?? [])];
    for (const { url, sha256 } of extras.manifests)
      if (!manifests.some((known) => known.sha256 === sha256))
        manifests.push({ url, sha256, size: await pullManifest(pull, url, sha256) });
    const [main, ...others] = await Promise.all(
      locksByArchitecture(lock).map(async (own) => ({
        ...own,
        images: await withImages({ ...pull, architecture: own.architecture }, own, extras.images),
      })),
    );
    const grown: BundleLock = {
      ...lock,
      images: main?.images ?? lock.images,
      ...(manifests.length === 0 ? {} : { manifests }),
      ...(lock.others === undefined
        ? {}
        : {
            others: lock.others.map((other, index) => ({
              ...other,
              images: others[index]?.images ?? other.images,
            })),
          }),
    };
    await linkBlobs(dir, grown, pull.store);
    await finishDirectory(dir, grown);
    return (await verifyBundle(dir, options.signal)).bundle;
  });
}

async function withImages(
  pull: Pull,
  { images }: BundleLock,
  references: readonly string[],
): Promise<BundleImage[]> {
  const missing = references.filter((reference) => !images.some((image) => image.reference === reference));
  const pulled = await Promise.all(
    missing.map((reference) => {
      if (reference.includes('@') || parseReference(reference).version.startsWith('sha256:'))
        throw new KeelsonError(
          'BUNDLE',
          `${reference}: an image that is named by its digest can't be carried`,
          {
            hint: 'name it by a tag in the manifest; the bundle has its digest',
          },
        );
      const name = reference.replace(/[^\w.+~-]+/g, '-');
      return pullImage(pull, { name, reference, roles: EVERY_NODE });
    }),
  );
  return [...images, ...pulled];
}

/** @returns its size in bytes */
async function pullManifest(pull: Pull, url: string, sha256: string): Promise<number> {
  const { file } = await storedFile(pull, url, sha256);
  return (await stat(file)).size;
}

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Bundle } from '../bundle.js';
import { finishDirectory } from '../directory.js';
import {
  architecturesOf,
  type BundleImage,
  type BundleLock,
  type BundleRole,
  parseLock,
  renderLock,
} from '../lock.js';
import { storeBlob } from '../store.js';
import { type ArchivedImage, imagesOf } from './read.js';
import { fullReference, shortName } from './reference.js';
import { unpackArchive } from './unpack.js';

export interface AddImageOptions {
  /** Hosts that get the images. */
  roles: readonly BundleRole[];
  /** In place of what the archive names its one image. */
  reference?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Puts the images of archives into a bundle directory; one that is there under the same reference is replaced. The
 * bundle's signature, which is of the lock before, goes.
 * @throws KeelsonError BUNDLE for archives without images, images without names, and images for other architectures
 */
export async function addImages(
  bundle: Bundle,
  archives: readonly string[],
  options: AddImageOptions,
): Promise<{ bundle: Bundle; added: BundleImage[] }> {
  const { dir } = bundle;
  if (bundle.lock.imagesBy === 'host')
    throw new KeelsonError('BUNDLE', `${dir}: hosts pull its images by themselves, it carries none`, {
      hint: 'use a bundle of `keelson bundle build` or `keelson bundle pull`',
    });
  const store = join(dir, 'blobs', 'sha256');
  await mkdir(store, { recursive: true });
  const folder = await mkdtemp(join(dir, '.images-'));
  try {
    const added: BundleImage[] = [];
    let { lock } = bundle;
    for (const [index, archive] of archives.entries()) {
      const into = join(folder, String(index));
      await mkdir(into);
      const images = await imagesOf(await unpackArchive(archive, into, options.signal), archive, into);
      for (const image of named(images, archive, options.reference)) {
        const result = withImage(lock, image, options.roles, archive);
        for (const { file, sha256, size } of image.blobs)
          await storeBlob(store, { file, sha256, size }, 0o444);
        lock = result.lock;
        added.push(result.image);
      }
    }
    parseLock(renderLock(lock), dir);
    return { bundle: await finishDirectory(dir, lock), added };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function named(
  images: readonly ArchivedImage[],
  archive: string,
  reference: string | undefined,
): (ArchivedImage & { reference: string })[] {
  if (reference !== undefined && new Set(images.map((image) => image.reference)).size > 1)
    throw new KeelsonError('USAGE', `${archive}: has several images, and one reference was given`, {
      hint: 'leave --reference out, or save one image alone',
    });
  return images.map((image) => {
    const name = fullReference(reference ?? image.reference ?? '');
    if (name !== null) return { ...image, reference: name };
    throw new KeelsonError('BUNDLE', `${archive}: has an image without a name and tag`, {
      hint: 'say --reference REGISTRY/REPOSITORY:TAG, as the manifests have it',
    });
  });
}

/** A lock with an image among those of its architecture. */
function withImage(
  lock: BundleLock,
  { reference, architecture, blobs }: ArchivedImage & { reference: string },
  roles: readonly BundleRole[],
  archive: string,
): { lock: BundleLock; image: BundleImage } {
  const has = architecturesOf(lock);
  if (!has.some((known) => known === architecture))
    throw new KeelsonError(
      'BUNDLE',
      `${archive}: ${reference} is for ${architecture}, the bundle is for ${has.join(' and ')}`,
      { hint: 'save the image for the architecture of the hosts: docker pull --platform linux/amd64' },
    );
  const [manifest] = blobs;
  const add = (images: readonly BundleImage[]): { images: BundleImage[]; image: BundleImage } => {
    const others = images.filter((image) => image.reference !== reference);
    const before = images.find((image) => image.reference === reference);
    const image: BundleImage = {
      name:
        before?.name ??
        shortName(
          reference,
          others.map(({ name }) => name),
        ),
      reference,
      digest: `sha256:${manifest?.sha256}`,
      size: manifest?.size ?? 0,
      blobs: blobs.map(({ sha256, size, mediaType }) => ({ sha256, size, mediaType })),
      roles: [...roles],
    };
    return { images: [...others, image], image };
  };
  if (lock.architecture === architecture) {
    const { images, image } = add(lock.images);
    return { lock: { ...lock, images }, image };
  }
  const other = (lock.others ?? []).find((one) => one.architecture === architecture);
  const { images, image } = add(other?.images ?? []);
  const others = (lock.others ?? []).map((one) => (one === other ? { ...one, images } : one));
  return { lock: { ...lock, others }, image };
}

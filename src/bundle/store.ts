import { chmod, copyFile, link, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuiltComponent, digestOf, type Output, outputOf } from './cache.js';
import { type CompressedLayer, compressLayer } from './compress.js';
import { assembleImage } from './image.js';
import type { ImageSpec, LayerSpec } from './image-table.js';
import { layerIdentity, writeLayer } from './layer.js';
import type { BundleImage } from './lock.js';

/** Puts an image's blobs into a store of blobs (named by their sha256) and describes it. */
export async function storeImage(
  spec: ImageSpec,
  built: readonly BuiltComponent[],
  cacheDir: string,
  store: string,
): Promise<BundleImage> {
  const layers: CompressedLayer[] = [];
  for (const layer of spec.layers) {
    layers.push(await compressLayer(await layerFile(layer, built, cacheDir), cacheDir));
  }
  for (const layer of layers) await storeBlob(store, layer, 0o444);
  const comments = spec.layers.map((layer) => ('shared' in layer ? `debian ${layer.shared}` : layer.comment));
  const image = assembleImage(
    spec.config,
    layers.map((layer, index) => ({ ...layer, comment: comments[index] ?? '' })),
  );
  for (const blob of [image.manifest, image.config]) await writeWhole(join(store, blob.sha256), blob.bytes);
  const blobs = [image.manifest, image.config, ...image.layers].map(({ sha256, size, mediaType }) => ({
    sha256,
    size,
    mediaType,
  }));
  return {
    name: spec.name,
    reference: spec.reference,
    digest: `sha256:${image.manifest.sha256}`,
    size: image.manifest.size,
    blobs,
    roles: [...spec.roles],
  };
}

/** The layer as a file in the cache, written if it is not there yet; named by its identity and its digest. */
async function layerFile(
  layer: LayerSpec,
  built: readonly BuiltComponent[],
  cacheDir: string,
): Promise<Output> {
  if ('shared' in layer) return outputOf(built, 'debian', `${layer.shared}.tar`);
  const folder = join(cacheDir, 'layers');
  await mkdir(folder, { recursive: true });
  const key = digestOf([layerIdentity(layer.entries)]).slice(0, 20);
  for (const name of await readdir(folder)) {
    const sha256 = new RegExp(`^${key}-([0-9a-f]{64})\\.tar$`).exec(name)?.[1];
    if (sha256 !== undefined)
      return { file: join(folder, name), sha256, size: (await stat(join(folder, name))).size };
  }
  const temporary = join(folder, `.tmp-${process.pid}-${key}`);
  try {
    const { sha256, size } = await writeLayer(layer.entries, temporary);
    const file = join(folder, `${key}-${sha256}.tar`);
    await rename(temporary, file);
    return { file, sha256, size };
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Links a file of the cache into the store, or copies it across file systems; what is there already stays. */
export async function storeBlob(store: string, { file, sha256, size }: Output, mode: number): Promise<void> {
  const target = join(store, sha256);
  const found = await stat(target).catch(() => null);
  if (found?.size === size) return;
  const temporary = `${target}.tmp-${process.pid}`;
  await rm(temporary, { force: true });
  await chmod(file, mode);
  await link(file, temporary).catch(() => copyFile(file, temporary));
  await rename(temporary, target);
}

/** Writes to a temporary beside it and renames. */
export async function writeWhole(file: string, bytes: Buffer | string): Promise<void> {
  const temporary = `${file}.tmp-${process.pid}`;
  await writeFile(temporary, bytes, { mode: 0o644 });
  await rename(temporary, file);
}

import { open, readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { KeelsonError } from '../../errors/keelson-error.js';
import { hashFile, type Output } from '../cache.js';
import { blobsOfManifest, MANIFEST_MEDIA_TYPE } from '../image.js';
import type { Unpacked } from './unpack.js';

/** An image of an archive: its blobs in the order of a lock, each with the file that has it. */
export interface ArchivedImage {
  /** As the archive names it; null where it has no name. */
  reference: string | null;
  architecture: string;
  blobs: readonly (Output & { mediaType: string })[];
}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const indexSchema = z.object({
  manifests: z.array(
    z.object({
      mediaType: z.string().optional(),
      digest,
      annotations: z.record(z.string(), z.string()).optional(),
      platform: z.object({ os: z.string() }).optional(),
    }),
  ),
});
const dockerSchema = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()) }),
);
const configSchema = z.object({ architecture: z.string() });

const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/**
 * Images of an unpacked archive: an OCI layout, or what Docker wrote before it knew of them.
 * @param folder where a manifest can be written that the archive has none of
 * @throws KeelsonError BUNDLE for an archive without images, and for an image that is not whole
 */
export async function imagesOf(get: Unpacked, archive: string, folder: string): Promise<ArchivedImage[]> {
  const index = get('index.json');
  if (index !== undefined) {
    const images = await ofIndex(get, await parsed(index, indexSchema, archive), null, archive);
    if (images.length > 0) return images;
  }
  const docker = get('manifest.json');
  if (docker === undefined)
    throw broken(archive, 'has neither index.json nor manifest.json: it holds no image');
  const entries = await parsed(docker, dockerSchema, archive);
  const images = await Promise.all(
    entries.map((entry, i) => ofDocker(get, entry, archive, `${folder}/m${i}`)),
  );
  return images.flat();
}

async function ofIndex(
  get: Unpacked,
  index: z.infer<typeof indexSchema>,
  above: string | null,
  archive: string,
): Promise<ArchivedImage[]> {
  const found: ArchivedImage[] = [];
  for (const { digest: id, annotations = {}, platform, mediaType = MANIFEST_MEDIA_TYPE } of index.manifests) {
    // An index may name platforms that were left out, and attestations, which are for none.
    const file = blob(get, id);
    if (file === undefined || (platform !== undefined && platform.os !== 'linux')) continue;
    const named = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
    const reference = named ?? above;
    const bytes = await readFile(file.file);
    const rest = blobsOfManifest(bytes);
    if (rest === null) {
      found.push(...(await ofIndex(get, await parsed(file, indexSchema, archive), reference, archive)));
      continue;
    }
    const blobs = rest.map((one) => {
      const here = blob(get, `sha256:${one.sha256}`);
      if (here === undefined || here.sha256 !== one.sha256)
        throw broken(
          archive,
          `${reference ?? id} is not whole: the blob ${one.sha256} is missing or damaged`,
        );
      return { ...here, mediaType: one.mediaType };
    });
    if (file.sha256 !== id.slice('sha256:'.length)) throw broken(archive, `the manifest ${id} is damaged`);
    found.push({
      reference,
      architecture: await architectureOf(blobs[0], archive),
      blobs: [{ ...file, mediaType }, ...blobs],
    });
  }
  return found;
}

const blob = (get: Unpacked, id: string): Output | undefined => get(`blobs/${id.replace(':', '/')}`);

/** Docker's own form has no manifest: one is made, of the same configuration and layers. */
async function ofDocker(
  get: Unpacked,
  { Config, RepoTags, Layers }: z.infer<typeof dockerSchema>[number],
  archive: string,
  target: string,
): Promise<ArchivedImage[]> {
  const [config, ...layers] = [Config, ...Layers].map((name) => {
    const file = get(name);
    if (file === undefined)
      throw broken(archive, `${RepoTags?.[0] ?? Config} is not whole: ${name} is missing`);
    return file;
  });
  if (config === undefined) throw broken(archive, 'has an image without configuration');
  const rest = [
    { ...config, mediaType: CONFIG },
    ...(await Promise.all(layers.map(async (layer) => ({ ...layer, mediaType: await layerType(layer) })))),
  ];
  const [described, ...describedLayers] = rest.map(({ sha256, size, mediaType }) => ({
    mediaType,
    digest: `sha256:${sha256}`,
    size,
  }));
  await writeFile(
    target,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_MEDIA_TYPE,
      config: described,
      layers: describedLayers,
    }),
  );
  const manifest = { file: target, ...(await hashFile(target)), mediaType: MANIFEST_MEDIA_TYPE };
  const architecture = await architectureOf(config, archive);
  const names = RepoTags ?? [];
  return (names.length === 0 ? [null] : names).map((reference) => ({
    reference,
    architecture,
    blobs: [manifest, ...rest],
  }));
}

async function layerType({ file }: Output): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return buffer.readUInt16BE() === 0x1f8b ? `${LAYER}+gzip` : LAYER;
  } finally {
    await handle.close();
  }
}

async function architectureOf(config: Output | undefined, archive: string): Promise<string> {
  if (config === undefined) throw broken(archive, 'has an image without configuration');
  return (await parsed(config, configSchema, archive)).architecture;
}

async function parsed<T>({ file }: Output, schema: z.ZodType<T>, archive: string): Promise<T> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw broken(archive, 'has a description of images that is not understood', cause);
  }
}

const broken = (archive: string, what: string, cause?: unknown): KeelsonError =>
  new KeelsonError('BUNDLE', `${archive}: ${what}`, {
    hint: 'save the image once more, whole and for linux: docker save, podman save, skopeo copy or ctr images export',
    ...(cause === undefined ? {} : { cause }),
  });

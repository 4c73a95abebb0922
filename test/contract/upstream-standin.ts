import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Bundle } from '../../src/bundle/bundle.js';
import { finishDirectory } from '../../src/bundle/directory.js';
import { assembleImage } from '../../src/bundle/image.js';
import type { Architecture, BundleImage, BundleLock } from '../../src/bundle/lock.js';
import { upstreamRelease } from '../../src/bundle/upstream/release.js';
import { upstreamFiles, upstreamImages } from '../../src/bundle/upstream/sources.js';

export const VERSION = 'v1.36.3';

/** Files of official release sites by their official address, in the official layouts; contents are made up. */
export async function officialFiles(architecture: Architecture = 'amd64'): Promise<Map<string, Buffer>> {
  const of = architecture === 'amd64' ? '' : ` of ${architecture}`;
  const files = new Map<string, Buffer>();
  for (const { url, checksumUrl, programs } of upstreamFiles(
    VERSION,
    upstreamRelease(VERSION),
    architecture,
  )) {
    const name = url.split('/').at(-1) ?? '';
    const members = Object.entries(programs);
    const alone = members[0]?.[1] === '';
    const content = alone
      ? program(`${name}${of}`, 300_000)
      : await archive(members.map(([key, path]) => [path, program(`${key}${of}`, 9_000)]));
    files.set(url, content);
    const sum = createHash('sha256').update(content).digest('hex');
    // dl.k8s.io has the sum alone, the others lines with names.
    const others = `${'0'.repeat(64)}  ${name}.asc\n`;
    files.set(
      checksumUrl,
      Buffer.from(url.startsWith('https://dl.k8s.io') ? sum : `${others}${sum}  ${name}\n`),
    );
  }
  files.set('https://dl.k8s.io/release/stable-1.36.txt', Buffer.from(`${VERSION}\n`));
  return files;
}

/** Serves them as a mirror would: `/<host>/<path>`, with ranges. */
export function mirrorOf(files: ReadonlyMap<string, Buffer>): RequestListener {
  return (request, response) => {
    const content = files.get(`https:/${request.url}`);
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` };
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': content.length - start,
      ...(start > 0 ? range : {}),
    });
    response.end(content.subarray(start));
  };
}

/** A bundle directory with the images of a release; contents are made up, some layers are shared. */
export async function officialImages(dir: string, architecture: Architecture = 'amd64'): Promise<Bundle> {
  const of = architecture === 'amd64' ? '' : ` of ${architecture}`;
  const store = join(dir, 'blobs', 'sha256');
  await mkdir(store, { recursive: true });
  const blob = async (bytes: Buffer) => {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await writeFile(join(store, sha256), bytes);
    return { sha256, size: bytes.length, diffId: sha256, comment: '' };
  };
  const layer = async (name: string) => blob(await archive([[name, program(`${name}${of}`, 200_000)]]));
  const base = await layer('base');
  const images: BundleImage[] = [];
  for (const { name, reference, roles } of upstreamImages(VERSION, upstreamRelease(VERSION))) {
    const layers = [base, await layer(name)];
    const assembled = assembleImage({ entrypoint: [`/${name}`] }, layers);
    // gzip, as published images have it.
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
    const text = assembled.manifest.bytes.toString().replaceAll('tar+zstd', 'tar+gzip');
    const manifest = { ...(await blob(Buffer.from(text))), mediaType: assembled.manifest.mediaType };
    const config = { ...(await blob(assembled.config.bytes)), mediaType: assembled.config.mediaType };
    images.push({
      name,
      reference,
      digest: `sha256:${manifest.sha256}`,
      size: manifest.size,
      blobs: [manifest, config, ...layers.map((one) => ({ ...one, mediaType }))].map(
        ({ sha256, size, mediaType: type }) => ({ sha256, size, mediaType: type }),
      ),
      roles: [...roles],
    });
  }
  const lock: BundleLock = {
    formatVersion: 1,
    kubernetesVersion: VERSION,
    architecture,
    source: 'upstream',
    toolchain: { go: '', gcc: '' },
    components: [],
    packages: [],
    files: [],
    images,
  };
  return finishDirectory(dir, lock);
}

/** Bytes that do not compress and are the same for the same name. */
function program(name: string, size: number): Buffer {
  const chunks: Buffer[] = [];
  for (let index = 0; chunks.length * 32 < size; index += 1)
    chunks.push(createHash('sha256').update(`${name} ${index}`).digest());
  return Buffer.concat(chunks).subarray(0, size);
}

async function archive(members: [string, Buffer][]): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of members)
    tar.entry({ name: `./${name}`, mtime: new Date(0), mode: 0o755 }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

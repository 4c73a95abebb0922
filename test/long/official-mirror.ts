import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { type Bundle, blobPath, fileByName } from '../../src/bundle/bundle.js';
import { upstreamRelease } from '../../src/bundle/upstream/release.js';
import { upstreamFiles, upstreamImages } from '../../src/bundle/upstream/sources.js';
import type { DockerRegistry } from '../contract/docker-registry.js';

/**
 * Release sites as they are laid out, `<directory>/<host>/<path>`, with the programs of a bundle in the archives and
 * under the names that the projects give them, and checksums beside.
 */
export async function writeReleaseSites(bundle: Bundle, directory: string): Promise<void> {
  const { kubernetesVersion, architecture } = bundle.lock;
  const release = upstreamRelease(kubernetesVersion);
  for (const { url, checksumUrl, programs } of upstreamFiles(kubernetesVersion, release, architecture)) {
    const target = placeOf(directory, url);
    await mkdir(dirname(target), { recursive: true });
    const [[first = '', member = ''] = []] = Object.entries(programs);
    if (member === '') {
      const blob = blobPath(bundle, fileByName(bundle, first).sha256);
      await link(blob, target).catch(() => symlink(blob, target));
    } else {
      await archive(bundle, programs, target);
    }
    const sum = createHash('sha256')
      .update(await readFile(target))
      .digest('hex');
    const alone = checksumUrl.startsWith('https://dl.k8s.io');
    await writeFile(
      placeOf(directory, checksumUrl),
      alone ? sum : `${sum}  ${target.slice(dirname(target).length + 1)}\n`,
    );
  }
}

const placeOf = (directory: string, url: string) => join(directory, url.slice('https://'.length));

/** A tar.gz with programs of the bundle as its members. */
async function archive(
  bundle: Bundle,
  programs: Readonly<Record<string, string>>,
  target: string,
): Promise<void> {
  const stage = `${target}.stage`;
  for (const [name, member] of Object.entries(programs)) {
    await mkdir(dirname(join(stage, member)), { recursive: true });
    await symlink(blobPath(bundle, fileByName(bundle, name).sha256), join(stage, member));
  }
  const members = Object.values(programs).map((member) => `./${member}`);
  await execa('tar', ['-c', '-h', '-I', 'gzip -1', '-f', target, '-C', stage, ...members]);
  await rm(stage, { recursive: true });
}

/** Serves a directory over TLS, with ranges. */
export async function serveDirectory(
  directory: string,
  { host, tls }: { host: string; tls: { cert: string; key: string } },
): Promise<{ url: string; stop: () => void }> {
  const server = createServer(tls, (request, response) => {
    send(join(directory, new URL(request.url ?? '/', 'https://x').pathname), request.headers.range, response)
      // Whoever asked went away.
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://${host}:${port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function send(file: string, range: string | undefined, response: ServerResponse): Promise<void> {
  const found = await stat(file).catch(() => null);
  if (found?.isFile() !== true) return void response.writeHead(404).end();
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const partial = { 'content-range': `bytes ${start}-${found.size - 1}/${found.size}` };
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': found.size - start,
    ...(start > 0 ? partial : {}),
  });
  await pipeline(createReadStream(file, { start }), response);
}

/** Copies a bundle's images into a registry, under the names and tags that the projects release them with. */
export async function fillRegistry(bundle: Bundle, registry: DockerRegistry, prefix: string): Promise<void> {
  const { kubernetesVersion, images } = bundle.lock;
  for (const { name, reference } of upstreamImages(kubernetesVersion, upstreamRelease(kubernetesVersion))) {
    const own = images.find((image) => image.name === name)?.reference ?? name;
    await registry.copy(bundle.dir, own, `${prefix}${reference.slice(reference.indexOf('/'))}`);
  }
}

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../src/bundle/bundle.js';
import { papersOf } from '../../src/bundle/papers.js';
import { pushBundle, pushTaggedImage } from '../../src/bundle/registry/artifact.js';
import { type Credentials, type Registry, registryClient } from '../../src/bundle/registry/client.js';
import { pullArtifact } from '../../src/bundle/registry/pull-artifact.js';
import { generateBundleKey, publicKeys, signBundleFiles } from '../../src/bundle/signature.js';
import { verifyBundle } from '../../src/bundle/verify.js';
import { type WebClient, webClient } from '../../src/web/client.js';
import { type DockerRegistry, HAS_REGISTRY, startDockerRegistry } from './docker-registry.js';
import { officialImages, VERSION } from './upstream-standin.js';

describe.skipIf(!HAS_REGISTRY)(
  'a real docker-registry over TLS with logins (docker-registry, skopeo, apache2-utils)',
  () => {
    let dir: string;
    let registry: DockerRegistry;
    let bundle: Bundle;
    let web: WebClient;
    const client = (credentials: Credentials | null = registry.login): Registry =>
      registryClient(
        web,
        { url: `https://${registry.address}`, credentials },
        { backoffMs: 20, attempts: 3 },
      );

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'keelson-registry-'));
      registry = await startDockerRegistry(dir);
      web = webClient({ caFiles: new Map([[`https://${registry.address}`, registry.caFile]]) });
      bundle = await officialImages(join(dir, 'bundle'));
    });
    afterAll(async () => {
      registry.stop();
      await web.close();
      await rm(dir, { recursive: true, force: true });
    });

    it('keeps a bundle, which comes back with its signature, and takes no blob twice', async () => {
      const key = generateBundleKey();
      const papers = await papersOf(bundle);
      await writeFile(join(bundle.dir, 'bundle.sig.json'), signBundleFiles(papers, key.privateKey));
      const sent: boolean[] = [];
      const options = {
        repository: 'keelson/bundle',
        tag: VERSION,
        onBlob: (_sum: string, _size: number, isNew: boolean) => sent.push(isNew),
      };
      const digest = await pushBundle(client(), bundle, options);
      expect(sent).toContain(true);
      sent.length = 0;
      expect(await pushBundle(client(), bundle, options)).toBe(digest);
      expect(sent).not.toContain(true);
      const pull = (name: string, keys = publicKeys(key.publicKey, 'key.pub')) =>
        pullArtifact(client(), {
          repository: 'keelson/bundle',
          tag: VERSION,
          outDir: () => join(dir, name),
          cacheDir: join(dir, `cache-${name}`),
          keys,
        });
      const pulled = await pull('pulled');
      expect(pulled.lock).toEqual(bundle.lock);
      for (const name of ['bundle.lock.json', 'sbom.spdx.json', 'bundle.sig.json'])
        expect(await readFile(join(pulled.dir, name))).toEqual(await readFile(join(bundle.dir, name)));
      const other = publicKeys(generateBundleKey().publicKey, 'other.pub');
      await expect(pull('refused', other)).rejects.toMatchObject({
        code: 'BUNDLE',
        message: expect.stringContaining('is signed by'),
      });
      expect((await verifyBundle(pulled.dir)).blobs).toBeGreaterThan(10);
    });

    it('takes images under their own names, and skopeo reads them', async () => {
      const [image] = bundle.lock.images;
      if (image === undefined) throw new Error('no image');
      await pushTaggedImage(client(), bundle, image.reference, {
        repository: 'mirror/kube-apiserver',
        tag: VERSION,
      });
      expect(await registry.inspect(`mirror/kube-apiserver:${VERSION}`, '{{.Digest}}')).toBe(image.digest);
    });

    it('gives images that skopeo put there', async () => {
      await registry.copy(bundle.dir, bundle.lock.images[1]?.reference ?? '', 'copied/two:v1');
      const manifest = await client().manifest('copied/two', 'v1', 'amd64');
      expect(`sha256:${manifest.sha256}`).toBe(bundle.lock.images[1]?.digest);
      const [, config] = bundle.lock.images[1]?.blobs ?? [];
      const file = join(dir, 'config');
      await client().blob('copied/two', { sha256: config?.sha256 ?? '', size: config?.size ?? 0, file });
      expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ os: 'linux' });
    });

    it('says who may not come in, and what is not there', async () => {
      const options = { repository: 'keelson/bundle', tag: VERSION };
      await expect(pushBundle(client(null), bundle, options)).rejects.toMatchObject({
        code: 'AUTHENTICATION',
      });
      const wrong = client({ ...registry.login, password: 'wrong' });
      await expect(wrong.manifest('keelson/bundle', VERSION, 'amd64')).rejects.toMatchObject({
        code: 'AUTHENTICATION',
      });
      await expect(client().manifest('nobody/nothing', 'v1', 'amd64')).rejects.toMatchObject({
        code: 'BUNDLE',
        message: expect.stringContaining('is not there'),
      });
    });
  },
);

import { execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../src/bundle/bundle.js';
import { papersOf } from '../../src/bundle/papers.js';
import { pushBundle, pushTaggedImage } from '../../src/bundle/registry/artifact.js';
import { type Registry, registryClient } from '../../src/bundle/registry/client.js';
import { pullArtifact } from '../../src/bundle/registry/pull-artifact.js';
import { generateBundleKey, publicKeys, signBundleFiles } from '../../src/bundle/signature.js';
import { verifyBundle } from '../../src/bundle/verify.js';
import { waitUntil } from '../../src/engine/wait.js';
import { type WebClient, webClient } from '../../src/web/client.js';
import { testTls } from './faulty-server.js';
import { officialImages, VERSION } from './upstream-standin.js';

const run = promisify(execFile);
const PROGRAMS = ['docker-registry', 'skopeo', 'htpasswd'];
const present = PROGRAMS.every((program) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => isExecutable(join(folder, program))),
);

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const LOGIN = { username: 'keelson', password: 'secret' };

describe.skipIf(!present)(
  'a real docker-registry over TLS with logins (docker-registry, skopeo, apache2-utils)',
  () => {
    let dir: string;
    let address: string;
    let bundle: Bundle;
    let child: ReturnType<typeof spawn>;
    let web: WebClient;
    const client = (credentials: typeof LOGIN | null = LOGIN): Registry =>
      registryClient(web, { url: `https://${address}`, credentials }, { backoffMs: 20, attempts: 3 });

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'keelson-registry-'));
      const tls = await testTls();
      for (const [name, text] of [
        ['ca.crt', tls.caPem],
        ['tls.crt', tls.cert],
        ['tls.key', tls.key],
      ] as const)
        await writeFile(join(dir, name), text);
      const { stdout } = await run('htpasswd', ['-Bbn', LOGIN.username, LOGIN.password]);
      await writeFile(join(dir, 'htpasswd'), stdout);
      address = `127.0.0.1:${await freePort()}`;
      await writeFile(
        join(dir, 'registry.yml'),
        `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${join(dir, 'data')}}}
http: {addr: '${address}', tls: {certificate: ${join(dir, 'tls.crt')}, key: ${join(dir, 'tls.key')}}}
auth: {htpasswd: {realm: test, path: ${join(dir, 'htpasswd')}}}
`,
      );
      child = spawn('docker-registry', ['serve', join(dir, 'registry.yml')], { stdio: 'ignore' });
      web = webClient({ caFiles: new Map([[`https://${address}`, join(dir, 'ca.crt')]]) });
      await waitUntil(
        async () => {
          const answer = await web.request(`https://${address}/v2/`).catch(() => null);
          await answer?.body.dump();
          return { met: answer?.status === 401, state: 'silent' };
        },
        { for: 'the registry', deadlineMs: 30_000, signal: new AbortController().signal },
      );
      bundle = await officialImages(join(dir, 'bundle'));
    });
    afterAll(async () => {
      child.kill();
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
      await pushTaggedImage(client(), bundle, image, { repository: 'mirror/kube-apiserver', tag: VERSION });
      await mkdir(join(dir, 'certs'), { recursive: true });
      await writeFile(join(dir, 'certs', 'ca.crt'), await readFile(join(dir, 'ca.crt')));
      const login = ['--cert-dir', join(dir, 'certs'), '--creds', `${LOGIN.username}:${LOGIN.password}`];
      const { stdout } = await run('skopeo', [
        'inspect',
        '--format',
        '{{.Digest}}',
        ...login,
        `docker://${address}/mirror/kube-apiserver:${VERSION}`,
      ]);
      expect(stdout.trim()).toBe(image.digest);
    });

    it('gives images that skopeo put there', async () => {
      const certs = join(dir, 'certs-push');
      await mkdir(certs, { recursive: true });
      await writeFile(join(certs, 'ca.crt'), await readFile(join(dir, 'ca.crt')));
      const source = `oci:${bundle.dir}:${bundle.lock.images[1]?.reference}`;
      const target = `docker://${address}/copied/two:v1`;
      await run('skopeo', [
        'copy',
        '--dest-cert-dir',
        certs,
        '--dest-creds',
        `${LOGIN.username}:${LOGIN.password}`,
        source,
        target,
      ]);
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
      const wrong = client({ ...LOGIN, password: 'wrong' });
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Bundle } from '../../src/bundle/bundle.js';
import { unpackBundle } from '../../src/bundle/carry/unpack.js';
import { writeBundleArchive } from '../../src/bundle/carry/write.js';
import { type Architecture, architecturesOf, locksByArchitecture } from '../../src/bundle/lock.js';
import { readMirrors } from '../../src/bundle/mirrors.js';
import { papersOf } from '../../src/bundle/papers.js';
import { bundleServer } from '../../src/bundle/serve/server.js';
import { pullBundle } from '../../src/bundle/upstream/pull.js';
import type { PullOptions } from '../../src/bundle/upstream/pull-context.js';
import { verifyBundle } from '../../src/bundle/verify.js';
import { parseClusterConfig } from '../../src/config/load.js';
import { KeelsonError } from '../../src/errors/keelson-error.js';
import { lackingFor } from '../../src/workflows/bundle-complete.js';
import { addForCluster } from '../../src/workflows/bundle-extras.js';
import { smallBundle } from '../unit/bundle/fixture.js';
import { CLUSTER, KUBEADM, stream } from '../unit/config/support.js';
import { type Fault, type Faults, faultyServer, listen, type TestTls, testTls } from './faulty-server.js';
import { mirrorOf, officialFiles, officialImages, VERSION } from './upstream-standin.js';

let files: Map<string, Buffer>;
let images: Bundle;
let tls: TestTls;
let shared: string;

beforeAll(async () => {
  shared = await mkdtemp(join(tmpdir(), 'keelson-upstream-'));
  files = await officialFiles();
  images = await officialImages(join(shared, 'images'));
  tls = await testTls();
});
afterAll(() => rm(shared, { recursive: true, force: true }));

async function scratch(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'keelson-pull-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

interface Setting {
  files?: Faults;
  registry?: Faults;
  tls?: TestTls;
  /** In place of the registry itself. */
  around?: (registry: RequestListener) => RequestListener;
  login?: string;
  /** What the registry has; default the images of amd64. */
  images?: readonly Bundle[];
  /** In place of what the release sites have. */
  content?: ReadonlyMap<string, Buffer>;
  /** What the release sites have beside amd64. */
  architectures?: readonly Architecture[];
}

/** A mirror of release sites and one of registries, the mirrors file that names them, and a pull from there. */
async function mirrored(setting: Setting = {}) {
  const dir = await scratch();
  const serving = setting.tls ?? tls;
  const served = new Map(setting.content ?? files);
  for (const architecture of setting.architectures ?? [])
    for (const [url, content] of await officialFiles(architecture)) {
      // runc has the sums of all architectures in one file.
      const before = url.endsWith('runc.sha256sum') ? (served.get(url) ?? Buffer.alloc(0)) : Buffer.alloc(0);
      served.set(url, Buffer.concat([before, content]));
    }
  const inner = bundleServer(setting.images ?? [images]);
  const registry: RequestListener = (request, response) => void inner.emit('request', request, response);
  const fileServer = await faultyServer(serving, mirrorOf(served), setting.files);
  const registryServer = await faultyServer(
    serving,
    setting.around?.(registry) ?? registry,
    setting.registry,
  );
  await writeFile(join(dir, 'ca.pem'), serving.caPem);
  await writeFile(join(dir, 'password'), 'secret\n');
  const place = (url: string) => `{url: '${url}', ca: ca.pem${setting.login ?? ''}}`;
  await writeFile(
    join(dir, 'mirrors.yaml'),
    `files:
  https://dl.k8s.io: ${place(`${fileServer.url}/dl.k8s.io`)}
  https://github.com: ${place(`${fileServer.url}/github.com`)}
registries:
  registry.k8s.io: ${place(registryServer.url)}
  ghcr.io: ${place(registryServer.url)}
`,
  );
  const mirrors = await readMirrors(join(dir, 'mirrors.yaml'));
  const pull = (options: Partial<PullOptions> = {}) =>
    pullBundle({
      kubernetesVersion: VERSION,
      architecture: 'amd64',
      outDir: () => join(dir, 'bundle'),
      cacheDir: join(dir, 'cache'),
      mirrors,
      retry: { backoffMs: 5 },
      ...options,
    });
  return { dir, pull, mirrors, fileServer, registryServer };
}

/** A fault at the first request whose path has this in it, and no other. */
function first(part: string, fault: Fault): Faults {
  let done = false;
  return (path) => {
    if (done || !path.includes(part)) return null;
    done = true;
    return fault;
  };
}

const always =
  (part: string, fault: Fault): Faults =>
  (path) =>
    path.includes(part) ? fault : null;

const KUBELET = '/bin/linux/amd64/kubelet';
const largestBlob = () =>
  [...images.lock.images.flatMap(({ blobs }) => blobs)].sort((a, b) => b.size - a.size)[0]?.sha256 ?? '';

describe('bundle pull', () => {
  it('takes programs and images, each once, and asks again for nothing that is there', async () => {
    const { pull, fileServer, registryServer } = await mirrored();
    const { lock } = await pull();
    expect(lock).toMatchObject({ kubernetesVersion: VERSION, architecture: 'amd64', source: 'upstream' });
    expect(lock.files.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['kubelet', 'ctr', 'runc', 'flannel', 'portmap']),
    );
    expect(lock.images).toEqual(images.lock.images);
    const blobs = registryServer.requests.filter((request) => request.includes('/blobs/'));
    expect(new Set(blobs).size).toBe(blobs.length);
    const before = [fileServer.requests.length, blobs.length];
    const second = await pull();
    expect(second.lock).toEqual(lock);
    // Checksums and signatures are read again, files and blobs are not.
    const again = fileServer.requests.slice(before[0]);
    expect(again.filter((request) => !/\.(sha256|sha256sum|sig|cert)$/.test(request))).toEqual([]);
    expect(registryServer.requests.filter((request) => request.includes('/blobs/')).length).toBe(before[1]);
  });

  it('takes several architectures into one bundle, of each image the manifest that is for it', async () => {
    const arm = await officialImages(join(await scratch(), 'arm'), 'arm64');
    const { pull } = await mirrored({ images: [images, arm], architectures: ['arm64'] });
    const { dir, lock } = await pull({ others: ['arm64'] });
    expect(architecturesOf(lock)).toEqual(['amd64', 'arm64']);
    const [amd64, arm64] = locksByArchitecture(lock);
    expect(amd64?.images).toEqual(images.lock.images);
    expect(arm64?.images).toEqual(arm.lock.images);
    expect(arm64?.files.map(({ name }) => name)).toEqual(amd64?.files.map(({ name }) => name));
    expect(arm64?.files[0]?.sha256).not.toBe(amd64?.files[0]?.sha256);
    expect((await verifyBundle(dir)).blobs).toBeGreaterThan(60);
    const one = await mirrored();
    await expect(one.pull({ others: ['arm64'] })).rejects.toMatchObject({ code: 'BUNDLE' });
  });

  it('says which programs have no signature, and refuses them where that is asked for', async () => {
    const { pull } = await mirrored();
    const unsigned: string[] = [];
    await pull({ onEvent: (event) => void (event.kind === 'unsigned' && unsigned.push(event.url)) });
    expect(unsigned.map((url) => url.split('/').at(-1)).sort()).toEqual(['kubeadm', 'kubectl', 'kubelet']);
    await expect(pull({ requireSignatures: true })).rejects.toMatchObject({
      code: 'BUNDLE',
      message: expect.stringContaining('its signature is not there'),
    });
  });

  it('refuses a program whose published signature is no good', async () => {
    const forged = new Map(files);
    const address = `https://dl.k8s.io/release/${VERSION}${KUBELET}`;
    forged.set(`${address}.sig`, Buffer.from('AAAA'));
    forged.set(`${address}.cert`, Buffer.from(tls.cert));
    const { pull, dir } = await mirrored({ content: forged });
    await expect(pull()).rejects.toMatchObject({
      code: 'BUNDLE',
      message: expect.stringContaining('unknown authority'),
    });
    expect(await readdir(dir)).not.toContain('bundle');
  });

  it('finds the newest patch release of a minor version', async () => {
    const { pull } = await mirrored();
    expect((await pull({ kubernetesVersion: 'v1.36' })).lock.kubernetesVersion).toBe(VERSION);
  });

  it.each([1, 100, 65_536, 299_999])('goes on where a file broke off after %i bytes', async (after) => {
    const ranges: string[] = [];
    const { pull } = await mirrored({
      files: (path, headers) => {
        if (!path.endsWith(KUBELET)) return null;
        ranges.push(headers.range ?? 'all');
        return ranges.length === 1 ? { kind: 'cut', after } : null;
      },
    });
    await pull();
    expect(ranges[0]).toBe('all');
    expect(Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? '')?.[1] ?? 0)).toBeLessThanOrEqual(after);
    expect(ranges).toHaveLength(2);
  });

  it('goes on at the next run where a blob broke off for good', async () => {
    let broken = true;
    const ranges: string[] = [];
    const { pull, dir } = await mirrored({
      registry: (path, headers) => {
        if (!path.includes(`/blobs/sha256:${largestBlob()}`)) return null;
        ranges.push(headers.range ?? 'all');
        return broken ? { kind: 'cut', after: 70_000 } : null;
      },
    });
    await expect(pull({ retry: { attempts: 1 } })).rejects.toMatchObject({ code: 'CONNECTION' });
    expect(await readdir(dir)).not.toContain('bundle');
    broken = false;
    await pull();
    expect(ranges.at(-1)).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it('goes on at the next run after an interruption at any byte', async () => {
    for (let round = 0; round < 4; round += 1) {
      const stop = new AbortController();
      // The images alone are 2.2 MB.
      const after = Math.floor(Math.random() * 2_000_000);
      let sent = 0;
      const interrupting =
        (inner: RequestListener): RequestListener =>
        (request, response) => {
          const { write } = response;
          response.write = ((chunk: Buffer, ...rest: unknown[]) => {
            sent += chunk.length;
            if (sent > after) stop.abort(new KeelsonError('ABORTED', 'interrupted'));
            return (write as (...args: unknown[]) => boolean).call(response, chunk, ...rest);
          }) as typeof response.write;
          inner(request, response);
        };
      const { dir, pull } = await mirrored({ around: interrupting });
      await expect(pull({ signal: stop.signal }), `after ${after} bytes`).rejects.toMatchObject({
        code: 'ABORTED',
      });
      expect(await readdir(dir)).not.toContain('bundle');
      expect((await pull()).lock.images, `after ${after} bytes`).toEqual(images.lock.images);
    }
  });

  it('waits for a server that is slow but goes on', async () => {
    const { pull, fileServer } = await mirrored({
      files: always(KUBELET, { kind: 'slow', everyMs: 150 }),
    });
    await pull({ web: { idleMs: 1000 } });
    expect(fileServer.requests.filter((request) => request.endsWith(KUBELET))).toHaveLength(1);
  });

  it('refuses a blob that is shorter than it should be, though its server says that this is all', async () => {
    const { pull, dir } = await mirrored({
      registry: always(`/blobs/sha256:${largestBlob()}`, { kind: 'short', bytes: 1000 }),
    });
    await expect(pull({ retry: { backoffMs: 1, attempts: 3 } })).rejects.toMatchObject({
      code: 'CONNECTION',
      message: expect.stringMatching(/ended after 1000 of \d+ bytes|fewer bytes/),
    });
    expect(await readdir(dir)).not.toContain('bundle');
  });

  it.each([
    ['a program', { files: always(KUBELET, { kind: 'flip', at: 1000 }) }, /kubelet: has sha256/],
    [
      'a checksum',
      { files: first('runc.sha256sum', { kind: 'flip', at: 90 }) },
      /runc\.amd64: has sha256|no checksum/,
    ],
  ] as [string, Setting, RegExp][])(
    'refuses %s that is not what it should be',
    async (_what, setting, message) => {
      const { pull, dir } = await mirrored(setting);
      await expect(pull()).rejects.toMatchObject({ code: 'BUNDLE', message: expect.stringMatching(message) });
      expect(await readdir(dir)).not.toContain('bundle');
    },
  );

  it('refuses a blob and a manifest of another digest', async () => {
    for (const part of [`/blobs/sha256:${largestBlob()}`, '/manifests/v1.36.3']) {
      const { pull, dir } = await mirrored({ registry: always(part, { kind: 'flip', at: 50 }) });
      await expect(pull()).rejects.toMatchObject({
        code: 'BUNDLE',
        message: expect.stringMatching(/has (sha256|digest)/),
      });
      expect(await readdir(dir)).not.toContain('bundle');
    }
  });

  it('comes back after 429, 503 and a server that says nothing, when the server wants it', async () => {
    const times: number[] = [];
    const { pull } = await mirrored({
      files: (path) => {
        if (!path.endsWith(KUBELET)) return null;
        times.push(Date.now());
        if (times.length === 1) return { kind: 'status', status: 429, headers: { 'retry-after': '1' } };
        return times.length === 2 ? { kind: 'stall', after: 10_000 } : null;
      },
      registry: first('/manifests/', { kind: 'status', status: 503 }),
    });
    await pull({ web: { idleMs: 3_000 } });
    expect(times.length).toBeGreaterThanOrEqual(3);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1000);
  });

  it('gives up on a server that stays busy, and says so', async () => {
    const { pull } = await mirrored({ files: always(KUBELET, { kind: 'status', status: 503 }) });
    await expect(pull({ retry: { backoffMs: 1, attempts: 3 } })).rejects.toMatchObject({
      code: 'CONNECTION',
      message: expect.stringContaining('answers 503'),
    });
  });

  it('says that a certificate has expired, and tries no further', async () => {
    const { pull, fileServer } = await mirrored({ tls: await testTls(3) });
    await expect(pull()).rejects.toMatchObject({
      code: 'CONNECTION',
      message: expect.stringContaining('certificate has expired'),
      retryable: false,
    });
    expect(fileServer.requests).toEqual([]);
  });

  it('says that a certificate is of an unknown CA', async () => {
    const { pull } = await mirrored();
    const others = await mirrored();
    const mirrors = await readMirrors(join(others.dir, 'mirrors.yaml'));
    const without = {
      ...mirrors,
      files: new Map([...mirrors.files].map(([key, place]) => [key, { ...place, caFile: null }])),
      registries: new Map([...mirrors.registries].map(([key, place]) => [key, { ...place, caFile: null }])),
    };
    await expect(pull({ mirrors: without })).rejects.toMatchObject({
      code: 'CONNECTION',
      message: expect.stringContaining('unknown CA'),
    });
  });

  it('says what is not there', async () => {
    const { pull } = await mirrored();
    await expect(pull({ kubernetesVersion: 'v1.36.9' })).rejects.toMatchObject({
      code: 'BUNDLE',
      message: expect.stringContaining('is not there'),
    });
    await expect(pull({ kubernetesVersion: 'v1.20.0' })).rejects.toMatchObject({
      code: 'BUNDLE',
      hint: expect.stringContaining('--versions'),
    });
  });

  it('takes versions from a file, and images of another repository', async () => {
    const { pull, registryServer } = await mirrored();
    const wanted = pull({ versions: { 'v1.36': { etcd: '3.9.9-0' } } });
    await expect(wanted).rejects.toMatchObject({ code: 'BUNDLE' });
    expect(registryServer.requests).toContain('GET /v2/etcd/manifests/3.9.9-0');
  });
});

it('takes along what the add-ons of a cluster file want, and then it is complete without any network', async () => {
  const small = await smallBundle();
  const [image] = small.lock.images;
  if (image === undefined) throw new Error('no image');
  const reference = 'ghcr.io/example/tool:v1';
  const tool = { dir: small.dir, lock: { ...small.lock, images: [{ ...image, reference }] } };
  const url = 'https://github.com/example/tool/releases/download/v1/tool.yaml';
  const manifest = Buffer.from(
    `apiVersion: v1\nkind: Pod\nmetadata: {name: tool}\nspec: {containers: [{name: tool, image: ${reference}}]}\n`,
  );
  const sha256 = createHash('sha256').update(manifest).digest('hex');
  const { dir, pull, mirrors } = await mirrored({
    images: [images, tool],
    content: new Map([...files, [url, manifest]]),
  });
  const addons = `  addons:\n    - {name: tool, manifests: [{url: '${url}', sha256: ${sha256}}]}\n`;
  const config = parseClusterConfig(stream(`${CLUSTER}${addons}`, KUBEADM), {
    baseDir: '/',
    homeDir: '/',
    env: {},
  });
  const add = (bundle: Bundle) =>
    addForCluster(config, bundle, { cacheDir: join(dir, 'cache'), mirrors, retry: { backoffMs: 5 } });
  const grown = await add(await pull());
  expect(grown.lock.manifests).toEqual([{ url, sha256, size: manifest.length }]);
  expect(grown.lock.images.at(-1)).toMatchObject({ reference, digest: image.digest });
  expect(await lackingFor(config, grown)).toEqual([]);
  expect((await add(grown)).lock).toEqual(grown.lock);
  const file = join(dir, 'carried.tar');
  await writeBundleArchive(grown, { file, papers: await papersOf(grown) });
  const unpacked = await unpackBundle(file, { dir: join(dir, 'unpacked') });
  expect(await lackingFor(config, unpacked)).toEqual([]);
});

it('takes only digests of images that hosts pull by themselves', async () => {
  const { pull, registryServer } = await mirrored();
  const { lock, dir } = await pull({
    imagesBy: 'host',
    references: { etcd: 'registry.k8s.io/etcd:3.6.8-0' },
  });
  expect(lock.imagesBy).toBe('host');
  expect(lock.images.map(({ digest }) => digest)).toEqual(images.lock.images.map(({ digest }) => digest));
  expect(registryServer.requests.filter((request) => request.includes('/blobs/'))).toEqual([]);
  expect(await readdir(join(dir, 'blobs', 'sha256'))).toHaveLength(lock.files.length);
});

describe('authentication', () => {
  const LOGIN = ', username: reader, passwordFile: password';
  const basic = `Basic ${Buffer.from('reader:secret').toString('base64')}`;

  it('answers a registry that wants a user name and a password', async () => {
    const around =
      (inner: RequestListener): RequestListener =>
      (request, response) => {
        if (request.headers.authorization === basic) inner(request, response);
        else response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
      };
    const { pull } = await mirrored({ around, login: LOGIN });
    expect((await pull()).lock.images).toHaveLength(images.lock.images.length);
    const without = await mirrored({ around });
    await expect(without.pull()).rejects.toMatchObject({ code: 'AUTHENTICATION' });
  });

  it('gets bearer tokens where the registry sends it, one for a repository, and a new one when it is refused', async () => {
    const scopes: string[] = [];
    let valid = 0;
    const around =
      (inner: RequestListener): RequestListener =>
      (request, response) => {
        const url = new URL(request.url ?? '', `https://${request.headers.host}`);
        if (url.pathname === '/token') {
          if (request.headers.authorization !== basic) {
            response.writeHead(401).end();
            return;
          }
          scopes.push(`${url.searchParams.get('service')} ${url.searchParams.get('scope')}`);
          valid += 1;
          response.end(JSON.stringify({ token: `t${valid}` }));
          return;
        }
        // Every token is good until the next one is given out.
        const repository = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(url.pathname)?.[1];
        if (request.headers.authorization === `Bearer t${valid}` && valid > 0) inner(request, response);
        else
          response
            .writeHead(401, {
              'www-authenticate': `Bearer realm="https://${request.headers.host}/token",service="reg",scope="repository:${repository}:pull"`,
            })
            .end();
      };
    const { pull } = await mirrored({ around, login: LOGIN });
    await pull({ parallel: 1 });
    expect(scopes).toContain('reg repository:kube-proxy:pull');
    await expect((await mirrored({ around })).pull()).rejects.toMatchObject({ code: 'AUTHENTICATION' });
  });

  it('sends no login to a token service without encryption', async () => {
    const around = (): RequestListener => (_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://elsewhere.example/token"' }).end();
    };
    const { pull } = await mirrored({ around, login: LOGIN });
    await expect(pull()).rejects.toMatchObject({
      code: 'AUTHENTICATION',
      message: expect.stringContaining('without encryption'),
    });
  });
});

it('goes through a proxy, except to hosts that are reached directly', async () => {
  const tunnels: string[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    tunnels.push(request.url ?? '');
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    for (const one of [upstream, socket]) one.on('error', () => socket.destroy());
  });
  const url = `http://127.0.0.1:${await listen(proxy)}`;
  const { pull, fileServer } = await mirrored();
  await pull({ web: { httpsProxy: url } });
  expect(tunnels).toContain(fileServer.url.slice('https://'.length));
  const before = tunnels.length;
  await (await mirrored()).pull({ web: { httpsProxy: url, noProxy: '127.0.0.1' } });
  expect(tunnels).toHaveLength(before);
});

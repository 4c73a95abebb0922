import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../src/bundle/bundle.js';
import { finishDirectory } from '../../src/bundle/directory.js';
import { FILE_TABLE } from '../../src/bundle/file-table.js';
import { bundleServer } from '../../src/bundle/serve/server.js';
import { chooseBundle } from '../../src/cli/choose-bundle.js';
import type { CliIO, GlobalOptions } from '../../src/cli/command.js';
import { faultyServer, testTls } from './faulty-server.js';
import { mirrorOf, officialFiles, officialImages, VERSION } from './upstream-standin.js';

const GLOBAL = { logFormat: 'text', verbose: false, color: false } as unknown as GlobalOptions;

let images: Bundle;
let shared: string;

beforeAll(async () => {
  shared = await mkdtemp(join(tmpdir(), 'keelson-choose-'));
  images = await officialImages(join(shared, 'images'));
});
afterAll(() => rm(shared, { recursive: true, force: true }));

/** Mirrors files: one whose places all answer, and one whose registry does not. */
async function mirrored() {
  const tls = await testTls();
  const inner = bundleServer([images]);
  const registry: RequestListener = (request, response) => void inner.emit('request', request, response);
  const files = await faultyServer(tls, mirrorOf(await officialFiles()));
  const registries = await faultyServer(tls, registry);
  await writeFile(join(shared, 'ca.pem'), tls.caPem);
  const write = async (name: string, filesAt: string, registriesAt: string) => {
    const place = (url: string) => `{url: '${url}', ca: ca.pem}`;
    const text = `files:
  https://dl.k8s.io: ${place(`${filesAt}/dl.k8s.io`)}
  https://github.com: ${place(`${filesAt}/github.com`)}
registries:
  registry.k8s.io: ${place(registriesAt)}
  ghcr.io: ${place(registriesAt)}
`;
    await writeFile(join(shared, name), text);
    return join(shared, name);
  };
  return {
    mirrors: await write('mirrors.yaml', files.url, registries.url),
    closed: await write('closed.yaml', files.url, 'https://127.0.0.1:1'),
  };
}

async function place() {
  const home = await mkdtemp(join(shared, 'home-'));
  let said = '';
  const say = (text: string) => {
    said += text;
    return true;
  };
  const io = {
    env: { XDG_CACHE_HOME: home },
    home,
    cwd: home,
    stop: new AbortController().signal,
    stderr: { write: say },
  } as unknown as CliIO;
  return { io, home, said: () => said };
}

async function atHand(home: string): Promise<string> {
  const dir = join(home, 'keelson', 'bundles', VERSION);
  await mkdir(join(dir, 'blobs', 'sha256'), { recursive: true });
  const sha256 = '0'.repeat(64);
  const files = FILE_TABLE.map(({ name, path }) => ({
    name,
    path,
    mode: 0o755,
    sha256,
    size: 1,
    version: VERSION,
    roles: ['control-plane' as const, 'worker' as const],
  }));
  await finishDirectory(dir, { ...images.lock, source: 'modules', files });
  return dir;
}

describe('a bundle, where none was named', () => {
  const choice = { kubernetesVersion: VERSION, architectures: ['amd64'] } as const;

  it('is the one at hand, and nobody is asked', async () => {
    const { io, home, said } = await place();
    const dir = await atHand(home);
    const { closed } = await mirrored();
    const bundle = await chooseBundle({ ...choice, mirrors: closed }, io, GLOBAL);
    expect(bundle.dir).toBe(dir);
    expect(said()).toContain(`${dir} is at hand, built from modules`);
  });

  it('is none at hand where it is of another architecture', async () => {
    const { io, home } = await place();
    await atHand(home);
    await expect(
      chooseBundle({ ...choice, architectures: ['arm64'], atHand: true }, io, GLOBAL),
    ).rejects.toMatchObject({ code: 'BUNDLE' });
  });

  it('is of the official releases where they answer, wholly, and at hand from then on', async () => {
    const { io, said } = await place();
    const { mirrors } = await mirrored();
    const bundle = await chooseBundle({ ...choice, mirrors }, io, GLOBAL);
    expect(bundle.lock.source).toBe('upstream');
    expect(said()).toContain('the official releases answer');
    const again = await chooseBundle({ ...choice, atHand: true }, io, GLOBAL);
    expect(again.dir).toBe(bundle.dir);
  });

  it('says why the official releases are not taken', async () => {
    const { io } = await place();
    const { closed } = await mirrored();
    // arm64 can't be built here, so that what comes next is an error with the reason.
    await expect(
      chooseBundle({ ...choice, architectures: ['arm64'], mirrors: closed }, io, GLOBAL),
    ).rejects.toMatchObject({
      code: 'BUNDLE',
      message: expect.stringMatching(
        /arm64.* is at hand, and the official releases do not answer: https:.*404/,
      ),
    });
    await expect(
      chooseBundle({ ...choice, mirrors: closed }, { ...io, stop: AbortSignal.abort() }, GLOBAL),
    ).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

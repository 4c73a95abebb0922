import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Bundle } from '../../../src/bundle/bundle.js';
import { finishDirectory } from '../../../src/bundle/directory.js';
import { assembleImage, imageIndex, OCI_LAYOUT } from '../../../src/bundle/image.js';
import { LAYER_MEDIA_TYPE } from '../../../src/bundle/layer.js';
import { type BundleImage, type BundleLock, LOCK_FILE, renderLock } from '../../../src/bundle/lock.js';

export async function scratch(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'keelson-bundle-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A bundle of one file and two images that share a layer; `mark` makes its contents others. */
export async function smallBundle(mark = ''): Promise<Bundle> {
  const dir = await scratch();
  const store = join(dir, 'blobs', 'sha256');
  await mkdir(store, { recursive: true });
  const blob = async (bytes: Buffer) => {
    const digest = sha256(bytes);
    await writeFile(join(store, digest), bytes);
    return { sha256: digest, size: bytes.length, mediaType: LAYER_MEDIA_TYPE, diffId: digest, comment: '' };
  };
  const shared = await blob(Buffer.from(`shared layer${mark}`));
  const image = async (name: string, roles: BundleImage['roles']): Promise<BundleImage> => {
    const layers = [shared, await blob(Buffer.from(`layer of ${name}${mark}`))];
    const { manifest, config, layers: described } = assembleImage({ entrypoint: [`/${name}`] }, layers);
    for (const one of [manifest, config]) await writeFile(join(store, one.sha256), one.bytes);
    return {
      name,
      reference: `registry.example/${name}:v1`,
      digest: `sha256:${manifest.sha256}`,
      size: manifest.size,
      blobs: [manifest, config, ...described].map((one) => ({
        sha256: one.sha256,
        size: one.size,
        mediaType: one.mediaType,
      })),
      roles,
    };
  };
  const kubelet = await blob(Buffer.from(`kubelet${mark}`));
  const lock: BundleLock = {
    formatVersion: 1,
    kubernetesVersion: 'v1.36.3',
    architecture: 'amd64',
    source: 'modules',
    toolchain: { go: 'go1.26.8', gcc: '12.2.0' },
    components: [{ name: 'kubernetes', version: 'v1.36.3', module: 'k8s.io/kubernetes', sum: 'h1:abc=' }],
    packages: [],
    files: [
      {
        name: 'kubelet',
        path: '/usr/bin/kubelet',
        mode: 0o755,
        sha256: kubelet.sha256,
        size: kubelet.size,
        version: 'v1.36.3',
        roles: ['control-plane', 'worker'],
      },
    ],
    images: [await image('etcd', ['control-plane']), await image('pause', ['control-plane', 'worker'])],
  };
  await writeFile(join(dir, 'oci-layout'), OCI_LAYOUT);
  await writeFile(join(dir, 'index.json'), imageIndex(lock.images, 'amd64'));
  await writeFile(join(dir, LOCK_FILE), renderLock(lock));
  return { dir, lock };
}

/** The same for amd64 and, with other contents, for arm64. */
export async function bundleOfTwo(): Promise<Bundle> {
  const [{ dir, lock }, arm] = await Promise.all([smallBundle(), smallBundle(' of arm64')]);
  await cp(join(arm.dir, 'blobs'), join(dir, 'blobs'), { recursive: true });
  const { components, files, images } = arm.lock;
  return finishDirectory(dir, { ...lock, others: [{ architecture: 'arm64', components, files, images }] });
}

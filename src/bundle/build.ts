import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bundle } from './bundle.js';
import { outputOf } from './cache.js';
import { buildAll, componentsOf } from './components.js';
import { finishDirectory, lockBytes } from './directory.js';
import type { OnBundleEvent } from './events.js';
import { FILE_MODE, FILE_ROLES, FILE_TABLE } from './file-table.js';
import { helmComponent, type ToolName } from './helm.js';
import { imageTable } from './image-table.js';
import type { BundleImage, BundleLock } from './lock.js';
import { releaseFor } from './releases.js';
import { storeBlob, storeImage } from './store.js';

export interface BuildOptions {
  /** With leading v. */
  kubernetesVersion: string;
  /** Components and layers are kept here between builds; a file system that allows hard links to `outDir` saves space. */
  cacheDir: string;
  /** The bundle directory; an older bundle there is replaced. */
  outDir: string;
  onEvent?: OnBundleEvent | undefined;
  signal?: AbortSignal | undefined;
  /** Added to every `go build`, for example `-p=1`; part of the cache's key. */
  extraGoFlags?: readonly string[] | undefined;
  /** Default: the module sets of the package. */
  modulesDir?: string | undefined;
  /** Default `go`. */
  goProgram?: string | undefined;
  /** Programs for the operator's machine; default none. */
  tools?: readonly ToolName[] | undefined;
}

const ignore: OnBundleEvent = () => undefined;

/**
 * Compiles what a cluster needs from pinned Go modules, assembles the images and writes the bundle.
 * Components are cached one by one, so an interrupted build goes on where it stopped.
 * @throws KeelsonError BUNDLE (no module set), LOCAL_COMMAND (a tool failed or is missing), ABORTED
 */
export async function buildBundle(options: BuildOptions): Promise<Bundle> {
  const { kubernetesVersion, cacheDir, outDir, signal, onEvent = ignore, tools: wanted = [] } = options;
  const release = releaseFor(kubernetesVersion);
  const { components: own, toolchain } = await componentsOf(options);
  const components = [...own, ...(wanted.includes('helm') ? [await helmComponent(options)] : [])];
  const built = await buildAll(cacheDir, components, onEvent, signal);
  const store = join(outDir, 'blobs', 'sha256');
  await mkdir(store, { recursive: true });

  const files: BundleLock['files'] = [];
  for (const { name, path, component } of FILE_TABLE) {
    const output = outputOf(built, component, name);
    await storeBlob(store, output, 0o555);
    const version = built.find((candidate) => candidate.name === component)?.version ?? '';
    files.push({
      name,
      path,
      mode: FILE_MODE,
      sha256: output.sha256,
      size: output.size,
      version,
      roles: [...FILE_ROLES],
    });
  }
  const tools: NonNullable<BundleLock['tools']> = [];
  for (const name of new Set(wanted)) {
    const output = outputOf(built, name, name);
    await storeBlob(store, output, 0o555);
    const version = built.find((candidate) => candidate.name === name)?.version ?? '';
    tools.push({ name, version, sha256: output.sha256, size: output.size });
  }
  const images: BundleImage[] = [];
  for (const spec of imageTable(kubernetesVersion, release, built)) {
    const image = await storeImage(spec, built, cacheDir, store);
    onEvent({ kind: 'image', reference: image.reference, digest: image.digest, size: total(image.blobs) });
    images.push(image);
  }
  const packages = JSON.parse(
    await readFile(outputOf(built, 'debian', 'packages.json').file, 'utf8'),
  ) as BundleLock['packages'];
  const lock: BundleLock = {
    formatVersion: 1,
    kubernetesVersion,
    architecture: 'amd64',
    source: 'modules',
    toolchain: { go: toolchain.go, gcc: toolchain.gcc },
    components: components.map(({ name, version, module, sum }) => ({ name, version, module, sum })),
    packages,
    ...(tools.length === 0 ? {} : { tools }),
    files,
    images,
  };
  const bundle = await finishDirectory(outDir, lock);
  onEvent({
    kind: 'bundle',
    dir: outDir,
    kubernetesVersion,
    files: files.length,
    images: images.length,
    bytes: lockBytes(lock),
  });
  return bundle;
}

function total(blobs: readonly { size: number }[]): number {
  return blobs.reduce((sum, blob) => sum + blob.size, 0);
}

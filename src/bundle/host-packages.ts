import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { type Bundle, loadBundle } from './bundle.js';
import { hashFile } from './cache.js';
import { finishDirectory } from './directory.js';
import type { HostPackage } from './lock.js';
import { run } from './run.js';
import { storeBlob } from './store.js';

const HINT = 'run `apt-get update`; the package mirror must be reachable';

/** What apt follows: what a package can't be without. */
const DEPENDENCIES = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
  (kind) => `--no-${kind}`,
);

/**
 * Takes packages of this computer's distribution into a bundle, for hosts of the same release that can't reach any:
 * those named, and everything that they depend on beside what every installation has. apt checks them against the
 * distribution's signed lists.
 * @param names of binary packages
 * @throws KeelsonError LOCAL_COMMAND (no apt, no mirror), BUNDLE for a bundle of another architecture
 */
export async function addHostPackages(
  bundle: Bundle,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<Bundle> {
  const { id, versionId } = await release();
  const hint = 'host packages are taken on Debian or Ubuntu, of the release that the hosts have';
  const architecture = (await run('dpkg', ['--print-architecture'], { signal, hint })).trim();
  if (architecture !== bundle.lock.architecture)
    throw new KeelsonError(
      'BUNDLE',
      `this computer has packages for ${architecture}, the bundle is for ${bundle.lock.architecture}`,
      { hint },
    );
  const work = await mkdtemp(join(bundle.dir, '.packages-'));
  try {
    const wanted = await closure(names, signal);
    const always = await closure(await required(signal), signal);
    const needed = [...wanted].filter((name) => !always.has(name)).sort();
    await run('apt-get', ['download', '-q', ...needed], { cwd: work, signal, hint: HINT });
    const store = join(bundle.dir, 'blobs', 'sha256');
    await mkdir(store, { recursive: true });
    const hostPackages: HostPackage[] = [];
    for (const file of (await readdir(work)).sort()) {
      const archive = join(work, file);
      const [name = '', version = ''] = await Promise.all(
        ['Package', 'Version'].map(async (field) =>
          (await run('dpkg-deb', ['-f', archive, field], { signal })).trim(),
        ),
      );
      const { sha256, size } = await hashFile(archive);
      await storeBlob(store, { file: archive, sha256, size }, 0o444);
      hostPackages.push({ name, version, os: `${id}-${versionId}`, sha256, size });
    }
    await finishDirectory(bundle.dir, { ...bundle.lock, hostPackages });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return loadBundle(bundle.dir);
}

async function release(): Promise<{ id: string; versionId: string }> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { id: value('ID'), versionId: value('VERSION_ID') };
}

/** Packages without which apt lets no system be. */
async function required(signal: AbortSignal | undefined): Promise<string[]> {
  const text = await run('apt-cache', ['dumpavail'], { signal, hint: HINT });
  return text
    .split('\n\n')
    .filter((entry) => /^(?:Priority: required|Essential: yes)$/m.test(entry))
    .flatMap((entry) => /^Package: (.+)$/m.exec(entry)?.[1] ?? []);
}

/** Packages with everything that they depend on, real ones only. */
async function closure(names: readonly string[], signal: AbortSignal | undefined): Promise<Set<string>> {
  const text = await run('apt-cache', ['depends', '--recurse', ...DEPENDENCIES, ...names], {
    signal,
    hint: HINT,
  });
  // Virtual packages stand in angle brackets, those of other architectures have a suffix.
  const found = text.split('\n').filter((line) => /^[a-z0-9][a-z0-9.+-]+$/.test(line));
  return new Set([...names, ...found]);
}

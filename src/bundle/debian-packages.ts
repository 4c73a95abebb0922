import { mkdir, readdir, readlink, rm } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { hashFile } from './cache.js';
import { run } from './run.js';

export interface DebianPackage {
  name: string;
  version: string;
  sha256: string;
}

/** Unpacked packages: image path (below `usr/` for bin, sbin, lib and lib64, as on a merged system) → file. */
export type DebianTree = ReadonlyMap<string, { file: string; link: string | null }>;

const NO_EXTRAS = [
  'recommends',
  'suggests',
  'conflicts',
  'breaks',
  'replaces',
  'enhances',
  'pre-depends',
].map((kind) => `--no-${kind}`);

/**
 * Downloads packages and the libraries that they depend on, as apt would install them on this machine (apt
 * checks them against the distribution's signed lists), and unpacks them without running their scripts.
 */
export async function unpackDebianPackages(
  names: readonly string[],
  folder: string,
  signal: AbortSignal | undefined,
): Promise<{ packages: DebianPackage[]; tree: DebianTree }> {
  const hint = 'run `apt-get update`; the package mirror must be reachable';
  const related = await run('apt-cache', ['depends', '--recurse', ...NO_EXTRAS, ...names], { signal, hint });
  const libraries = related.split('\n').filter((line) => /^(lib[a-z0-9.+-]+|zlib1g)$/.test(line));
  const downloads = join(folder, 'packages');
  const root = join(folder, 'root');
  await Promise.all([mkdir(downloads), mkdir(root)]);
  const wanted = [...new Set([...names, ...libraries])].sort();
  await run('apt-get', ['download', '-q', ...wanted], { cwd: downloads, signal, hint });
  const packages: DebianPackage[] = [];
  for (const file of (await readdir(downloads)).sort()) {
    const archive = join(downloads, file);
    const fields = await run('dpkg-deb', ['-f', archive, 'Package', 'Version'], { signal });
    const { sha256 } = await hashFile(archive);
    packages.push({ name: field(fields, 'Package'), version: field(fields, 'Version'), sha256 });
    await run('dpkg-deb', ['-x', archive, root], { signal });
  }
  await rm(downloads, { recursive: true });
  return { packages, tree: await indexTree(root) };
}

function field(text: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
}

/** `bin/ip` is `usr/bin/ip` on a merged system. */
function merged(path: string): string {
  return /^(?:bin|sbin|lib|lib64)\//.test(path) ? `usr/${path}` : path;
}

async function indexTree(root: string): Promise<DebianTree> {
  const tree = new Map<string, { file: string; link: string | null }>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const path = merged(file.slice(root.length + 1));
    if (entry.isSymbolicLink()) tree.set(path, { file, link: await readlink(file) });
    else if (entry.isFile()) tree.set(path, { file, link: null });
  }
  return tree;
}

/**
 * The regular file at an image path, its links followed within the tree, never on this machine.
 * @throws KeelsonError BUNDLE when no unpacked package has it
 */
export function fileInTree(tree: DebianTree, path: string): string {
  let current = path;
  for (let hops = 0; hops < 10; hops += 1) {
    const entry = tree.get(current);
    if (entry === undefined) break;
    if (entry.link === null) return entry.file;
    current = merged(
      posix.join(entry.link.startsWith('/') ? '' : dirname(current), entry.link).replace(/^\/+/, ''),
    );
  }
  throw new KeelsonError('BUNDLE', `no Debian package of this release has ${path}`, {
    hint: 'build on Debian 12 or newer',
  });
}

const LIBRARY_FOLDER = 'usr/lib/x86_64-linux-gnu';

/** Image paths of all shared libraries that the given files need, and those need in turn, and the loader. */
export async function neededLibraries(
  tree: DebianTree,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const found = new Set<string>();
  let open = [...paths];
  while (open.length > 0) {
    const text = await run('readelf', ['-d', ...open.map((path) => fileInTree(tree, path))], { signal });
    const names = [...text.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1] ?? '');
    open = [...new Set(names)]
      .filter((name) => !name.startsWith('ld-linux'))
      .map((name) => `${LIBRARY_FOLDER}/${name}`)
      .filter((path) => !found.has(path));
    for (const path of open) found.add(path);
  }
  return [...found, 'usr/lib64/ld-linux-x86-64.so.2'].sort();
}

import { createHash, randomBytes } from 'node:crypto';
import { access, chmod, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { hostNamed, presentHosts } from '../config/inventory.js';
import type { ClusterConfig, ResolvedHost } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { FileState } from '../host/types.js';
import { renderHost } from '../manifests/render.js';
import { etcdClientModeOf } from '../phases/certs/external-etcd.js';
import { REGISTRY_FILE_MODE } from '../phases/runtime/registries.js';
import { type TrustStore, trustStore } from '../phases/trust-store.js';
import {
  CERTIFICATE_MODE,
  certificatePaths,
  KUBECONFIGS,
  kubeconfigPath,
  SECRET_MODE,
} from '../pki/table.js';
import { etcdClientFiles } from './etcd-client-files.js';
import { patchesOf } from './patches.js';
import { registryFiles } from './registry-files.js';

export interface TreeFile {
  content: Buffer;
  /** Permission bits, for example 0o600. */
  mode: number;
  /** Mode of parent directories that have to be made. */
  dirMode: number;
}

/** A host's files by their absolute path on the host. */
export type HostTree = ReadonlyMap<string, TreeFile>;

export interface RenderTreesOptions {
  /** Hosts to render; default all that are present. */
  hosts?: readonly string[];
  /**
   * Directory laid out like /etc/kubernetes/pki; where it is named `pki`, kubeconfigs beside it count too.
   * What is there is kept, what is missing is issued. Leaf certificates and kubeconfigs are one host's, so
   * they count only where one control plane is rendered, or for the first.
   */
  pki?: string;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/**
 * Every file that hosts would get beside the bundle's binaries, without any host: needs no root, no network
 * and no bundle. Certificates, keys and kubeconfigs that `pki` does not bring are issued anew at each call.
 * @throws USAGE for an unknown host; PKI for files that are wrong or can't be signed; CONFIG for patches
 */
export async function renderTrees(
  config: ClusterConfig,
  options: RenderTreesOptions = {},
): Promise<Map<string, HostTree>> {
  const hosts = options.hosts?.map((name) => hostNamed(config, name)) ?? presentHosts(config);
  const controlPlanes = hosts.filter((host) => host.role === 'control-plane');
  const all = presentHosts(config).filter((host) => host.role !== 'worker');
  const [first] = all.filter((host) => host.role === 'control-plane');
  if (first === undefined) throw new KeelsonError('CONFIG', 'the configuration has no control plane');
  const trust = trustStore(config, options.now ?? Date.now);
  if (options.pki !== undefined) {
    const given = await readPki(config, options.pki);
    const owner = controlPlanes.length === 1 ? controlPlanes[0] : first;
    for (const host of all) trust.observed(host.name, seenOf(host === owner ? given.all : given.authorities));
  }
  const patches = await patchesOf(config);
  const etcdClient = await etcdClientFiles(config, options.now ?? Date.now);
  const registries = await registryFiles(config);
  const authority = trust.entries(first.name).find((entry) => entry.name === 'ca');
  const trees = new Map<string, HostTree>();
  for (const host of hosts) {
    const tree = new Map<string, TreeFile>();
    const rendered = renderHost(config, host, {
      externalCA: authority?.external ?? false,
      patches: patches.get(host.name) ?? [],
    });
    for (const [path, { content, mode, dirMode = 0o755 }] of rendered)
      tree.set(path, { content: Buffer.from(content), mode, dirMode });
    for (const [path, content] of registries)
      tree.set(path, { content, mode: REGISTRY_FILE_MODE, dirMode: 0o755 });
    if (host.role === 'control-plane') {
      for (const [path, content] of etcdClient)
        tree.set(path, { content, mode: etcdClientModeOf({ config }, path), dirMode: 0o755 });
    }
    if (host.role !== 'worker') await addTrust(tree, trust, host);
    else {
      const path = certificatePaths(config.cluster, { baseName: 'ca' }).cert;
      tree.set(path, {
        content: Buffer.from(await trust.ensureCa()),
        mode: CERTIFICATE_MODE,
        dirMode: 0o755,
      });
    }
    trees.set(host.name, new Map([...tree].sort(([a], [b]) => (a < b ? -1 : 1))));
  }
  return trees;
}

async function addTrust(tree: Map<string, TreeFile>, trust: TrustStore, host: ResolvedHost): Promise<void> {
  for (const entry of trust.entries(host.name)) {
    for (const path of entry.paths) {
      if (entry.external && path.endsWith('.key')) continue;
      const mode = path.endsWith('.crt') ? CERTIFICATE_MODE : SECRET_MODE;
      tree.set(path, { content: await trust.file(host.name, path), mode, dirMode: 0o755 });
    }
  }
}

type Contents = ReadonlyMap<string, Buffer>;

/** The directory's files under the paths that they have on a host. */
async function readPki(
  config: ClusterConfig,
  directory: string,
): Promise<{ all: Contents; authorities: Contents }> {
  const { certificatesDir } = config.cluster;
  const all = new Map<string, Buffer>();
  const authorities = new Map<string, Buffer>();
  const names = await readdir(directory, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new KeelsonError('USAGE', `${directory} can't be read`, {
      cause,
      hint: 'name a directory laid out like /etc/kubernetes/pki',
    });
  });
  for (const entry of names) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const content = await readFile(file);
    const path = `${certificatesDir}/${relative(directory, file)}`;
    all.set(path, content);
    if (/^(ca|front-proxy-ca|sa)\./.test(entry.name)) authorities.set(path, content);
  }
  if (basename(directory) === 'pki') {
    for (const row of KUBECONFIGS) {
      const content = await readFile(join(dirname(directory), row.file)).catch(() => null);
      if (content !== null) all.set(kubeconfigPath(row), content);
    }
  }
  return { all, authorities };
}

function seenOf(contents: Contents) {
  const files = new Map<string, FileState>();
  for (const [path, content] of contents)
    files.set(path, { path, type: 'file', mode: 0, owner: '', size: content.length, mtime: '', content });
  return { files, units: new Map(), probes: new Map() };
}

export interface WrittenFile {
  host: string;
  /** Absolute path on the host. */
  path: string;
  /** Where it was written. */
  file: string;
  /** Octal, `0600`. */
  mode: string;
  sha256: string;
}

/**
 * Writes trees below a directory, each file by a 0600 temporary and rename. Nothing is ever deleted.
 * @param options.perHost a folder for each host; else its files lie directly in the directory
 * @throws USAGE where the directory holds anything already, unless `force`
 */
export async function writeTrees(
  trees: ReadonlyMap<string, HostTree>,
  directory: string,
  options: { perHost: boolean; force: boolean },
): Promise<WrittenFile[]> {
  await makeDirectory(directory).catch((cause: NodeJS.ErrnoException) => {
    throw new KeelsonError('USAGE', `${directory} can't be made a directory: ${cause.message}`, {
      cause,
      hint: 'name another directory with --out',
    });
  });
  if (!options.force && (await readdir(directory)).length > 0) {
    throw new KeelsonError('USAGE', `${directory} is not empty`, {
      hint: 'name another directory, or say --force to write into this one; nothing in it is deleted',
    });
  }
  const written: WrittenFile[] = [];
  for (const [host, tree] of trees) {
    for (const [path, { content, mode, dirMode }] of tree) {
      const file = join(directory, options.perHost ? host : '', path);
      await mkdir(dirname(dirname(file)), { recursive: true, mode: 0o755 });
      await mkdir(dirname(file), { recursive: true, mode: dirMode });
      const temporary = `${file}.${randomBytes(4).toString('hex')}`;
      await writeFile(temporary, content, { mode: 0o600, flag: 'wx' });
      await chmod(temporary, mode);
      await rename(temporary, file);
      const sha256 = createHash('sha256').update(content).digest('hex');
      written.push({ host, path, file, mode: mode.toString(8).padStart(4, '0'), sha256 });
    }
  }
  return written;
}

/** As mkdir with `recursive`, which never ends where a file system has a directory and makes nothing in it (/proc). */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(directory)).isDirectory()) return;
    const parent = dirname(directory);
    const orphan =
      code === 'ENOENT' &&
      (await access(parent).then(
        () => false,
        () => true,
      ));
    if (!orphan) throw error;
    await makeDirectory(parent);
    await mkdir(directory, { mode: 0o700 });
  }
}

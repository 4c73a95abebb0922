import { resolve } from 'node:path';
import type { Bundle } from '../bundle/bundle.js';
import { addHostPackages } from '../bundle/host-packages.js';
import { openBundle } from '../bundle/open.js';
import { type Papers, papersOf } from '../bundle/papers.js';
import { isEncryptedKey, signBundleFiles } from '../bundle/signature.js';
import { readText } from '../config/read-text.js';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { hostTools } from '../phases/host-tools.js';
import { bytes } from '../report/table.js';
import { readPublicKeys } from '../workflows/cluster-bundle.js';
import { bundleLine, bundleProgress } from './bundle-progress.js';
import { bundleDir, cacheDir, DEFAULT_KUBERNETES_VERSION } from './cache.js';
import type { CliIO, GlobalOptions } from './command.js';
import { webOptions } from './web-options.js';

/** Options of commands that write a bundle file. */
export const ARCHIVE_OPTIONS = {
  split: {
    flags: '--split <size>',
    description: 'parts of at most this size, as FILE.001, FILE.002, …: 650M, 4G (units of 1024)',
    kind: 'string',
  },
  signKey: {
    flags: '--sign-key <file>',
    description: 'private key of `keelson bundle keygen` to sign with',
    kind: 'string',
  },
} as const;

/** Option of commands that make a bundle for one cluster. */
export const FOR_CLUSTER_OPTION = {
  config: {
    flags: '-c, --config <file>',
    description:
      'of the version that this cluster file wants, with manifests and images of its network and add-ons',
    kind: 'string',
  },
} as const;

/**
 * Version of Kubernetes that is asked for: by an option, by a cluster file, or the default.
 * @throws USAGE for an option that says otherwise than the file
 */
export function versionOption(option: string | undefined, config: ClusterConfig | null): string {
  const wanted = config?.cluster.kubernetesVersion;
  const version = (option ?? wanted ?? DEFAULT_KUBERNETES_VERSION).replace(/^v?/, 'v');
  if (wanted === undefined || version === wanted) return version;
  throw new KeelsonError('USAGE', `--kubernetes-version ${version}: the cluster file wants ${wanted}`, {
    hint: 'leave it out, or correct the cluster file',
  });
}

/** A bundle with what a cluster file's network and add-ons want. */
export async function withClusterExtras(
  bundle: Bundle,
  config: ClusterConfig,
  mirrors: string | undefined,
  io: CliIO,
  global: GlobalOptions,
): Promise<Bundle> {
  const { addForCluster } = await import('../workflows/bundle-extras.js');
  return addForCluster(config, bundle, {
    cacheDir: cacheDir(io),
    ...(await webOptions(mirrors, io)),
    onEvent: bundleProgress(io, global),
    signal: io.stop,
  });
}

/** Option of commands that make a bundle. */
export const HOST_PACKAGES_OPTION = {
  hostPackages: {
    flags: '--host-packages',
    description: 'with packages of this computer’s distribution that hosts may lack (Debian, Ubuntu)',
    kind: 'boolean',
  },
} as const;

/** A bundle with the packages that `spec.preparation.packages: install` may want on hosts of this distribution. */
export async function withHostPackages(bundle: Bundle, io: CliIO, global: GlobalOptions): Promise<Bundle> {
  const tools = hostTools(bundle.lock.kubernetesVersion);
  const names = [...new Set(tools.map((tool) => tool.packages.apt))].sort();
  const added = await addHostPackages(bundle, names, io.stop);
  const packages = added.lock.hostPackages ?? [];
  const size = bytes(packages.reduce((sum, entry) => sum + entry.size, 0));
  bundleLine(io, global)(`${packages.length} packages for hosts of ${packages[0]?.os ?? 'none'}, ${size}`);
  return added;
}

/** @throws USAGE for options of a bundle file where a directory is written */
export function requireArchive(
  archive: string | undefined,
  options: { split: string | undefined; signKey: string | undefined },
): void {
  if (archive !== undefined || (options.split === undefined && options.signKey === undefined)) return;
  throw new KeelsonError('USAGE', '--split and --sign-key are for a bundle file', {
    hint: 'say --out FILE.tar; a directory is signed with `keelson bundle sign`',
  });
}

export const PUBLIC_KEY_OPTION = {
  publicKey: {
    flags: '--public-key <file>',
    description: 'refuse a bundle that none of these keys has signed',
    kind: 'string',
  },
} as const;

/** Path of the bundle that a command names, or of the one in the cache. */
export function bundlePath(argument: string | undefined, io: CliIO): string {
  return argument === undefined ? bundleDir(io, DEFAULT_KUBERNETES_VERSION) : resolve(io.cwd, argument);
}

/** The bundle that a command names, be it a directory or a file. */
export async function bundleArgument(
  argument: string | undefined,
  io: CliIO,
  publicKey?: string,
): Promise<Bundle> {
  return openBundle(bundlePath(argument, io), {
    cacheDir: cacheDir(io),
    keys: await keysOption(publicKey, io),
    signal: io.stop,
  });
}

export async function keysOption(publicKey: string | undefined, io: CliIO) {
  return publicKey === undefined ? [] : readPublicKeys(resolve(io.cwd, publicKey));
}

/** Bytes of `650M`, `4GiB`, `1000000`. @throws USAGE */
export function sizeOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d+)([KMG]?)(?:i?B)?$/i.exec(text);
  const unit = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[match?.[2]?.toUpperCase() ?? ''] ?? 1;
  const size = Number(match?.[1] ?? 0) * unit;
  if (size >= 2 ** 20) return size;
  throw new KeelsonError('USAGE', `--split ${text}: is no size of at least 1M`, { hint: 'write 650M or 4G' });
}

const MOST_KEY_BYTES = 1024 * 1024;

/** A private key that bundles are signed with. */
export interface SigningKey {
  pem: string;
  passphrase: string | undefined;
}

/**
 * The key of a file; its passphrase is asked for where it has one.
 * @throws PKI for a file that can't be read
 */
export async function signingKey(keyFile: string | undefined, io: CliIO): Promise<SigningKey | null> {
  if (keyFile === undefined) return null;
  const path = resolve(io.cwd, keyFile);
  const pem = await readText(path, MOST_KEY_BYTES, {
    code: 'PKI',
    hint: 'make a key with `keelson bundle keygen`',
  });
  return {
    pem,
    passphrase: isEncryptedKey(pem)
      ? await io.askSecret(`passphrase of ${keyFile}`, 'run this from a terminal')
      : undefined,
  };
}

/** Papers of a bundle, signed anew where a key is given. @throws PKI for what is no private key */
export async function signedPapers(bundle: Bundle, key: SigningKey | null): Promise<Papers> {
  const papers = await papersOf(bundle);
  if (key === null) return papers;
  return { ...papers, signature: signBundleFiles(papers, key.pem, key.passphrase) };
}

/** Lines on stderr about bytes that are done, at every tenth. */
export function bytesProgress(what: string, io: CliIO, global: GlobalOptions) {
  let shown = 0;
  return (done: number, total: number) => {
    const tenth = total === 0 ? 10 : Math.floor((done / total) * 10);
    if (tenth === shown) return;
    shown = tenth;
    bundleLine(io, global)(`${what}: ${bytes(done)} of ${bytes(total)}`);
  };
}

import { join } from 'node:path';
import type { CliIO } from './command.js';

/** keelson's cache on this computer: components, bundles, lab bases. All of it can be made again. */
export function cacheDir(io: CliIO): string {
  const base = io.env.XDG_CACHE_HOME;
  return join(base === undefined || base === '' ? join(io.home, '.cache') : base, 'keelson');
}

/** Where `bundle build` writes unless told otherwise, and where `lab up` looks. */
export function bundleDir(io: CliIO, kubernetesVersion: string): string {
  return join(cacheDir(io), 'bundles', kubernetesVersion);
}

/** Where `bundle pull` writes unless told otherwise. */
export function upstreamDir(io: CliIO, kubernetesVersion: string, architectures: readonly string[]): string {
  return join(cacheDir(io), 'bundles', `${kubernetesVersion}-upstream-${architectures.join('-')}`);
}

/** The version that labs and bundles get unless told otherwise. */
export const DEFAULT_KUBERNETES_VERSION = 'v1.36.3';

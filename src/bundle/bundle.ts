import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import {
  type Architecture,
  type BundleFile,
  type BundleImage,
  type BundleLock,
  type BundleRole,
  type HostPackage,
  LOCK_FILE,
  locksByArchitecture,
  parseLock,
} from './lock.js';

/** A bundle directory and what its lock says. */
export interface Bundle {
  dir: string;
  lock: BundleLock;
}

/**
 * Reads a bundle's lock. Blobs are not looked at: `verifyBundle` does.
 * @throws KeelsonError BUNDLE when there is no lock, or it can't be used
 */
export async function loadBundle(dir: string): Promise<Bundle> {
  const place = join(dir, LOCK_FILE);
  let text: string;
  try {
    text = await readFile(place, 'utf8');
  } catch (cause) {
    const there = await stat(dir).catch(() => null);
    throw new KeelsonError(
      'BUNDLE',
      there === null ? `${dir}: there is no bundle` : `${place}: can't be read`,
      {
        hint: `build one with \`keelson bundle build --out ${dir}\`, or name another with spec.bundle`,
        cause,
      },
    );
  }
  return { dir, lock: parseLock(text, place) };
}

/** Path of a blob of the bundle on this machine. */
export function blobPath(bundle: Bundle, sha256: string): string {
  return join(bundle.dir, 'blobs', 'sha256', sha256);
}

/** What a host is to a bundle: hosts of role etcd get a part of what control planes get. */
export type PayloadRole = BundleRole | 'etcd';

/** A container runtime, and a kubelet that keeps one static pod on the host's network running: no CNI plugin. */
const ETCD_FILES: readonly string[] = ['kubelet', 'containerd', 'containerd-shim-runc-v2', 'ctr', 'runc'];
const ETCD_IMAGES: readonly string[] = ['pause', 'etcd'];

/** Files that hosts of a role get. */
export function filesForRole(bundle: Bundle, role: PayloadRole): BundleFile[] {
  if (role === 'etcd') return bundle.lock.files.filter((file) => ETCD_FILES.includes(file.name));
  return bundle.lock.files.filter((file) => file.roles.includes(role));
}

/** Images that hosts of a role get. */
export function imagesForRole(bundle: Bundle, role: PayloadRole): BundleImage[] {
  if (role === 'etcd') return bundle.lock.images.filter((image) => ETCD_IMAGES.includes(image.name));
  return bundle.lock.images.filter((image) => image.roles.includes(role));
}

/** A bundle as hosts of an architecture have it: nothing of others is in its lock. Null where it has nothing for them. */
export function bundleFor(bundle: Bundle, architecture: Architecture): Bundle | null {
  const lock = locksByArchitecture(bundle.lock).find((one) => one.architecture === architecture);
  return lock === undefined ? null : { dir: bundle.dir, lock };
}

/** Packages that hosts of this distribution can install out of a bundle. */
export function hostPackagesFor(
  { lock }: Bundle,
  os: { id: string; versionId: string },
): readonly HostPackage[] {
  return (lock.hostPackages ?? []).filter((entry) => entry.os === `${os.id}-${os.versionId}`);
}

/**
 * An image by its short name, for example `pause`.
 * @throws KeelsonError BUNDLE when the bundle has none of that name
 */
export function imageByName(bundle: Bundle, name: string): BundleImage {
  const image = bundle.lock.images.find((candidate) => candidate.name === name);
  if (image !== undefined) return image;
  throw new KeelsonError('BUNDLE', `${bundle.dir}: has no image ${name}`, {
    hint: `it has ${bundle.lock.images.map((candidate) => candidate.name).join(', ')}`,
  });
}

/**
 * A file by its name, for example `kubelet`.
 * @throws KeelsonError BUNDLE when the bundle has none of that name
 */
export function fileByName(bundle: Bundle, name: string): BundleFile {
  const file = bundle.lock.files.find((candidate) => candidate.name === name);
  if (file !== undefined) return file;
  throw new KeelsonError('BUNDLE', `${bundle.dir}: has no file ${name}`, {
    hint: `it has ${bundle.lock.files.map((candidate) => candidate.name).join(', ')}`,
  });
}

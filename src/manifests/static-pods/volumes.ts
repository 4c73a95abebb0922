import { posix } from 'node:path';
import type { Volume, VolumeMount } from 'kubernetes-types/core/v1.js';
import type { ExternalEtcd, HostPathMount } from '../../config/types.js';
import { CA_DIRECTORIES } from '../host-ca-directories.js';

const SYSTEM_CERTIFICATES = '/etc/ssl/certs';

export interface Mounts {
  volumes: Volume[];
  volumeMounts: VolumeMount[];
}

/** hostPath mounts as volumes and volume mounts, sorted by name; a later one of the same name wins. */
export function hostPathMounts(mounts: readonly HostPathMount[]): Mounts {
  const byName = new Map(mounts.map((mount) => [mount.name, mount]));
  const sorted = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    volumes: sorted.map(({ name, hostPath, pathType }) => ({
      name,
      hostPath: { path: hostPath, type: pathType ?? '' },
    })),
    volumeMounts: sorted.map(({ name, mountPath, readOnly }) => ({
      name,
      mountPath,
      ...(readOnly ? { readOnly } : {}),
    })),
  };
}

/** A directory of the host at the same path in the container. */
export function directory(name: string, path: string, readOnly = true): HostPathMount {
  return { name, hostPath: path, mountPath: path, readOnly, pathType: 'DirectoryOrCreate' };
}

/** A file of the host at the same path in the container, read-only. */
export function file(name: string, path: string): HostPathMount {
  return { name, hostPath: path, mountPath: path, readOnly: true, pathType: 'FileOrCreate' };
}

/**
 * The cluster's certificates and the system's, for the API server and the controller manager.
 * @param existing directories that the host has
 */
export function certificateMounts(certificatesDir: string, existing: readonly string[]): HostPathMount[] {
  return [
    directory('k8s-certs', certificatesDir),
    directory('ca-certs', SYSTEM_CERTIFICATES),
    ...CA_DIRECTORIES.filter((path) => existing.includes(path)).map((path) =>
      directory(path.slice(1).replaceAll('/', '-'), path),
    ),
  ];
}

/** Directories of an external etcd's certificates that no other mount covers. */
export function externalEtcdMounts(etcd: ExternalEtcd, certificatesDir: string): HostPathMount[] {
  const covered = [...CA_DIRECTORIES, SYSTEM_CERTIFICATES, certificatesDir];
  let directories: string[] = [];
  for (const path of [etcd.caFile, etcd.certFile, etcd.keyFile]) {
    const parent = posix.dirname(path);
    if (parent === '.' || covered.some((prefix) => parent.startsWith(prefix))) continue;
    const inside = directories.some((other) => parent.startsWith(other) && !other.startsWith(parent));
    directories = directories.filter((other) => !other.startsWith(parent));
    if (!inside) directories.push(parent);
  }
  return directories.sort().map((path, index) => directory(`etcd-certs-${index}`, path));
}

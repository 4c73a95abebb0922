// The real kubeadm of each version that the differential tests compare with, built from its Go module and kept
// in keelson's cache.
import { mkdir, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { buildKubeadm } from '../dist/src/bundle/components.js';
import { installTools, missingTools, requireReady } from '../dist/src/bundle/tools.js';

const VERSIONS = ['v1.36.3', 'v1.35.4', 'v1.34.4'];

/** Builds what is missing and returns the directory with `<version>/kubeadm`. */
export async function prepareOracles() {
  const cacheDir = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'keelson');
  const readiness = await missingTools({ kubernetesVersion: VERSIONS[0], cacheDir });
  if (readiness.missing.length > 0 && readiness.debian && process.getuid() === 0)
    await installTools(readiness);
  else if (readiness.missing.length > 0) requireReady(readiness);
  const directory = join(cacheDir, 'oracle');
  for (const version of VERSIONS) {
    console.log(`kubeadm ${version}: from the cache, or compiled in about two minutes`);
    const path = await buildKubeadm({ kubernetesVersion: version, cacheDir });
    await mkdir(join(directory, version), { recursive: true });
    await rm(join(directory, version, 'kubeadm'), { force: true });
    await symlink(path, join(directory, version, 'kubeadm'));
  }
  return directory;
}

import { readFile } from 'node:fs/promises';
import { type Mirrors, readMirrors } from '../bundle/mirrors.js';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { hostsToml, hostsTomlPath, mirrorCaPath } from '../manifests/registries.js';

/** What every host gets about registries, by path: hosts.toml, and CA certificates. Logins are in it. */
export async function registryFiles(config: ClusterConfig): Promise<ReadonlyMap<string, Buffer>> {
  const { mirrors: file } = config.spec;
  return file === undefined ? new Map() : filesOf(await readMirrors(file));
}

async function filesOf({ registries }: Mirrors): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const [registry, { url, caFile, credentials }] of registries) {
    const login =
      credentials === null ? null : Buffer.from(`${credentials.username}:${credentials.password}`);
    const text = hostsToml({
      registry,
      url,
      authorization: login === null ? null : `Basic ${login.toString('base64')}`,
      hasCa: caFile !== null,
    });
    if (caFile !== null) files.set(mirrorCaPath(registry), await certificates(caFile));
    files.set(hostsTomlPath(registry), Buffer.from(text));
  }
  return files;
}

async function certificates(file: string): Promise<Buffer> {
  return readFile(file).catch((cause: unknown) => {
    throw new KeelsonError('CONFIG', `${file} can't be read`, {
      cause,
      hint: 'correct the file of spec.mirrors',
    });
  });
}

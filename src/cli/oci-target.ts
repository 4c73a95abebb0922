import { caFilesOf, mirroredRegistry } from '../bundle/mirrors.js';
import { type Registry, registryClient } from '../bundle/registry/client.js';
import { parseReference } from '../bundle/registry/reference.js';
import { webClient } from '../web/client.js';
import type { CliIO } from './command.js';
import { webOptions } from './web-options.js';

/** True for `oci://registry/repository:tag`. */
export function isOciTarget(text: string): boolean {
  return text.startsWith('oci://');
}

/**
 * Does work with the registry of an address `oci://registry/repository:tag`. The mirrors file may say under the
 * registry's name where it is, which CA it has and how to log in.
 */
export async function withOciTarget<T>(
  text: string,
  mirrorsFile: string | undefined,
  io: CliIO,
  work: (target: { registry: Registry; repository: string; tag: string }) => Promise<T>,
): Promise<T> {
  const { registry: host, repository, version } = parseReference(text.replace(/^oci:\/\//, ''));
  const { mirrors, saved, web } = await webOptions(mirrorsFile, io);
  const client = webClient({ ...web, caFiles: caFilesOf(mirrors) });
  try {
    const endpoint = mirroredRegistry(mirrors, host, saved);
    const registry = registryClient(client, endpoint, { signal: io.stop });
    return await work({ registry, repository, tag: version });
  } finally {
    await client.close();
  }
}

import type { ClusterConfig } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { lastArgument } from '../../manifests/component-arguments.js';
import type { Session } from '../session.js';

/** Where API servers read how to encrypt; undefined where they do not. */
export function encryptionConfigPath({ cluster }: ClusterConfig): string | undefined {
  return lastArgument(cluster.apiServer.extraArgs, 'encryption-provider-config');
}

/**
 * How the API server of a control plane encrypts.
 * @throws CONFLICT where the file is not there
 */
export async function encryptionFile(
  session: Session,
  host: string,
): Promise<{ path: string; text: string }> {
  const path = encryptionConfigPath(session.context.config) ?? '';
  const { files } = await session.effects.host(host).read({ files: [path] });
  const text = files.get(path)?.content?.toString();
  if (text !== undefined) return { path, text };
  throw new KeelsonError('CONFLICT', `${path} is not there`, {
    host,
    hint: 'put it there: it is the same on every control plane',
  });
}

import type { FileSpec } from '../../host/types.js';
import type { HostWork } from './kind.js';
import type { Run } from './run.js';

/**
 * What would still change if the new certificates were issued once more: files that are not what they should be,
 * and kubelets without a certificate of the new authority.
 */
export async function differences(run: Run, host: string, work: HostWork): Promise<string[]> {
  const specs = work.files.filter((spec): spec is FileSpec & { content: Buffer } =>
    Buffer.isBuffer(spec.content),
  );
  const { files } = await run.session.effects.host(host).read({ files: specs.map(({ path }) => path) });
  const wrong = specs
    .filter(({ path, content }) => files.get(path)?.content?.equals(content) !== true)
    .map(({ path }) => `${path} on ${host} is not of the new one alone`);
  const lacking = (work.kubeletPairs ?? []).map(
    ({ current }) => `${current} on ${host} is not of the new one`,
  );
  return [...wrong, ...lacking];
}
